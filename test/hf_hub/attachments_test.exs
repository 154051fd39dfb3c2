defmodule HfHub.AttachmentsTest do
  use HfHub.Case, async: true

  alias HfHub.{Attachments, Error}

  @png <<0x89, "PNG\r\n", 0x1A, "\n", 0::800>>

  defp file(context, name, content),
    do: Path.join(write_files(context.dir, %{name => content}), name)

  test "uploads a file and returns its URL", context do
    path = file(context, "picture.PNG", @png)
    assert {:ok, url} = Attachments.upload(path, write())
    assert url == "#{context.endpoint}/uploads/#{sha256(@png)}.png"
    assert Attachments.upload!(path, write()) == url

    request = HfHub.Request.new(:get, URI.parse(url).path, [], write(token: false))
    assert HfHub.Request.run(request) == {:ok, @png}
    assert {:ok, %{"content-type" => "image/png"}} = HfHub.Request.headers(request)
  end

  test "other formats, and files that are not what they are called, are errors", context do
    assert {:error, %Error{kind: :bad_request, message: message}} =
             Attachments.upload(file(context, "a.svg", "<svg/>"), write())

    assert message =~ ".png, .jpg"

    assert {:error, %Error{kind: :bad_request, message: message}} =
             Attachments.upload(file(context, "a.png", "<svg/>"), write())

    assert message =~ "not image/png"

    assert {:error, %Error{kind: :io}} = Attachments.upload(Path.join(context.dir, "none.png"), write())

    path = file(context, "b.png", @png)
    assert {:error, %Error{kind: :no_token}} = Attachments.upload(path, write(token: false))
    assert_raise ArgumentError, ~r/path of a file/, fn -> Attachments.upload(nil, write()) end
  end
end
