defmodule HfHub.RequestTest do
  # Bodies, pagination and retries of requests, against a server that records them.
  use HfHub.Case, async: true

  alias HfHub.{Error, Request}

  # Responds to requests with these replies in turn, and sends each request to the test as a message.
  defp server(replies) do
    {:ok, socket} = :gen_tcp.listen(0, [:binary, active: false, packet: :raw, ip: {127, 0, 0, 1}])
    {:ok, port} = :inet.port(socket)
    me = self()
    start_supervised!({Task, fn -> Enum.each(replies, &answer(socket, &1, me)) end}, id: port)
    [endpoint: "http://127.0.0.1:#{port}", token: false, retry_delay: 1, retries: 3]
  end

  defp answer(socket, reply, test) do
    {:ok, connection} = :gen_tcp.accept(socket)
    {head, body} = read(connection, "")
    send(test, {:request, head, body})
    if reply == :hang, do: Process.sleep(:infinity)

    with {status, text} <- reply do
      length = byte_size(text)
      head = "HTTP/1.1 #{status} x\r\ncontent-type: application/json\r\nconnection: close\r\n"
      :gen_tcp.send(connection, [head, "content-length: #{length}\r\n\r\n", text])
    end

    :gen_tcp.close(connection)
  end

  defp read(connection, read) do
    {:ok, more} = :gen_tcp.recv(connection, 0, 5000)

    with [head, body] <- String.split(read <> more, "\r\n\r\n", parts: 2),
         [_all, length] <- Regex.run(~r/content-length: (\d+)/i, head) || [nil, "0"],
         true <- byte_size(body) >= String.to_integer(length) do
      {head, body}
    else
      _unfinished -> read(connection, read <> more)
    end
  end

  test "the error of a bad repository id is the result of running the request" do
    request = Request.repo(:get, "/api/:types/*repo/x[/:path]", "a b/c", endpoint: "http://127.0.0.1:9")
    request = request |> Request.query(a: 1) |> Request.json(fn _ref -> raise "not called" end)
    assert {:error, %Error{kind: :invalid_name}} = Request.run(request)
    assert {:error, %Error{kind: :invalid_name}} = Request.effect(request)
    assert {:error, %Error{kind: :invalid_name}} = Request.list(request, nil, & &1)
    assert_raise Error, fn -> Request.stream(request, & &1) end
    assert_raise Error, fn -> Request.events(request) end
  end

  test "a repository's parts fill the route, and missing optional ones are omitted" do
    path = fn id, more ->
      Request.repo(:get, "/api/:types/*repo[/tree/:revision][/*path]", id, [], more).path
    end

    assert path.("a/b", []) == "/api/models/a/b"
    assert path.("hf://datasets/a/b@v1/x/ä", []) == "/api/datasets/a/b/tree/v1/x/%C3%A4"
    assert path.("a/b", only: :model, revision: "refs/pr/1") == "/api/models/a/b/tree/refs%2Fpr%2F1"

    assert %Error{kind: :invalid_name} =
             Request.repo(:get, "/x/*repo", "datasets/a/b", [], only: :space).error

    assert %Error{kind: :invalid_name} = Request.repo(:get, "/x/*repo", "b", [], scope: :owned).error
  end

  test ":null is sent as null, and nil is omitted" do
    opts = server([{200, "{}"}])
    request = Request.new(:post, "/x", [], opts) |> Request.json(%{gone: nil, none: :null, kept: "null"})
    assert {:ok, %{}} = Request.run(request)
    assert_received {:request, _head, body}
    assert body == ~s({"kept":"null","none":null})
  end

  test "a file is sent as the body while it is read", context do
    path = Path.join(context.dir, "audio.flac")
    content = large(700_000)
    File.write!(path, content)
    opts = server([{503, "{}"}, {200, "{}"}])

    request =
      Request.new(:post, "/x", [], opts) |> Request.body({:path, path}, "audio/flac") |> Request.repeatable()

    assert {:ok, %{}} = Request.run(request)

    for _attempt <- 1..2 do
      assert_received {:request, head, ^content}
      assert head =~ "content-type: audio/flac"
      assert head =~ "content-length: 700000"
    end

    missing = Request.body(request, {:path, path <> "x"}, "audio/flac")
    assert {:error, %Error{kind: :io, message: message}} = Request.run(missing)
    assert message =~ "audio.flacx"
    folder = Request.body(request, {:path, context.dir}, "audio/flac")
    assert {:error, %Error{kind: :io}} = Request.run(folder)
  end

  test "other programs parse a form with files", context do
    path = Path.join(context.dir, "a.bin")
    # The parser below takes \r as the end of a line.
    content = Base.encode64(large(300_000)) <> "\n--hf_hub-"
    File.write!(path, content)
    opts = server([{200, "{}"}])

    parts = [
      {"model", "whisper \"ä\""},
      {"file", {:file, {:path, path}, "a \"b\".bin", "application/octet-stream"}},
      {"note", {:file, ["te", "xt"], "n.txt", "text/plain"}}
    ]

    assert {:ok, %{}} = Request.new(:post, "/x", [], opts) |> Request.multipart(parts) |> Request.run()
    assert_received {:request, head, body}
    [_all, type] = Regex.run(~r/content-type: ([^\r]+)/, head)
    File.write!(Path.join(context.dir, "mail"), ["Content-Type: ", type, "\r\n\r\n", body])

    # Parsed by Python's parser of MIME messages.
    code = """
    import email, hashlib, sys
    for part in email.message_from_binary_file(open(sys.argv[1], "rb")).get_payload():
        content = part.get_payload(decode=True)
        print(part.get_param("name", header="content-disposition"), part.get_filename(), part.get_content_type(), hashlib.sha256(content).hexdigest())
    """

    {output, 0} = System.cmd("python3", ["-c", code, Path.join(context.dir, "mail")])

    assert String.split(output, "\n", trim: true) == [
             "model None text/plain #{sha256("whisper \"ä\"")}",
             "file a %22b%22.bin application/octet-stream #{sha256(content)}",
             "note n.txt text/plain #{sha256("text")}"
           ]
  end

  test "pages counted by a parameter are read until an empty one" do
    opts = server([{200, ~s({"items":[1,2]})}, {200, ~s({"items":[3]})}, {200, ~s({"items":[]})}])

    request =
      Request.new(:get, "/x", [], opts) |> Request.query(q: "a") |> Request.paginate({:number, "p", 0})

    assert Request.list(request, nil, & &1, & &1["items"]) == {:ok, [1, 2, 3]}

    for page <- 0..2 do
      assert_received {:request, head, ""}
      assert head =~ "GET /x?q=a&p=#{page} "
    end
  end

  test "pages with a cursor are read until one without a cursor" do
    opts = server([{200, ~s({"items":[1],"meta":{"next":"a b"}})}, {200, ~s({"items":[2]})}])
    request = Request.new(:get, "/x", [], opts) |> Request.paginate({:cursor, "cursor", ["meta", "next"]})
    assert Request.list(request, nil, & &1, & &1["items"]) == {:ok, [1, 2]}
    assert_received {:request, head, ""}
    assert head =~ "GET /x "
    assert_received {:request, head, ""}
    assert head =~ "GET /x?cursor=a+b "
  end

  test "a repeated cursor is an error" do
    page = {200, ~s({"items":[1],"next":"a"})}
    request = Request.new(:get, "/x", [], server([page, page, page]))
    request = Request.paginate(request, {:cursor, "cursor", ["next"]})
    assert {:error, %Error{kind: :invalid_response} = error} = Request.list(request, nil, & &1, & &1["items"])
    assert error.message =~ "links to an earlier one"
    endless = %{Request.new(:get, "/x", [], server(List.duplicate({200, "[1]"}, 4))) | max_pages: 3}
    assert {:error, error} = Request.list(Request.paginate(endless, {:number, "p", 0}), nil, & &1)
    assert error.message =~ "too many pages"
  end

  test "PUT and DELETE are repeated after a lost response, POST only if marked" do
    assert :ok = Request.effect(Request.new(:put, "/x", [], server([:lost, {200, "{}"}])))
    gone = {404, ~s({"error":"Repository not found"})}
    assert :ok = Request.effect(Request.new(:delete, "/x", [], server([:lost, gone])))
    assert {:error, %Error{status: 404}} = Request.effect(Request.new(:delete, "/x", [], server([gone])))

    post = Request.new(:post, "/x", [], server([:lost, {200, "{}"}]))
    assert {:error, %Error{kind: :transport}} = Request.effect(post)
    post = Request.new(:post, "/x", [], server([:lost, {200, "{}"}]))
    assert :ok = Request.effect(Request.repeatable(post))
  end

  test "polling returns the final result, reports others, and ends at the deadline" do
    state = fn name -> {200, ~s({"stage":"#{name}"})} end

    done? = fn found ->
      if found["stage"] == "RUNNING",
        do: {:done, found["stage"]},
        else: Request.Poll.again("stage", found["stage"])
    end

    me = self()
    options = [pause: 1, on_wait: &send(me, {:waiting, &1["stage"]})]
    request = Request.new(:get, "/x", [], server([state.("BUILDING"), state.("BUILDING"), state.("RUNNING")]))
    assert {:ok, "RUNNING"} = Request.Poll.until(request, done?, options)
    assert_received {:waiting, "BUILDING"}
    assert_received {:waiting, "BUILDING"}
    refute_received {:waiting, _}

    request = Request.new(:get, "/x", [], [timeout: 2000] ++ server(List.duplicate(state.("BUILDING"), 3)))
    options = [pause: 1000, longest_pause: 1000, late: "the Space a/b was not ready"]
    assert {:error, %Error{kind: :timeout} = error} = Request.Poll.until(request, done?, options)

    assert error.message ==
             ~s(the Space a/b was not ready within 2000 ms: its stage is "BUILDING"; increase :timeout to wait longer)

    failed = fn _found -> {:error, Error.new(:server, "build failed")} end
    request = Request.new(:get, "/x", [], server([state.("ERROR")]))
    assert {:error, %Error{message: "build failed"}} = Request.Poll.until(request, failed, [])
  end

  test "polling whose deadline comes during a request returns what was seen before" do
    building = fn _found -> {:again, "its stage is BUILDING"} end
    server = [timeout: 300] ++ server([{200, "{}"}, :hang])
    request = Request.new(:get, "/x", [], server)
    assert {:error, %Error{kind: :timeout} = error} = Request.Poll.until(request, building, pause: 1)
    assert error.message =~ "the expected state was not reached within 300 ms: its stage is BUILDING"

    # Nothing was seen before.
    request = Request.new(:get, "/x", [], [timeout: 50] ++ server([:hang]))
    assert {:error, %Error{kind: :timeout} = error} = Request.Poll.until(request, building, pause: 1)
    refute error.message =~ "the expected state"
  end
end
