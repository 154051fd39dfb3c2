defmodule HfHub.OperationTest do
  use HfHub.Case, async: true

  alias HfHub.{Commit, Error}
  alias HfHub.Commit.Operation

  doctest HfHub.Commit.Operation

  test "the content of every kind of addition is read", context do
    path = Path.join(context.dir, "f")
    File.write!(path, "hello")

    for content <- [{:path, path}, {:binary, ["he", ?l, "lo"]}, {:stream, Stream.map(["hel", "lo"], & &1)}] do
      add = Operation.add("f", content)
      assert Operation.get_content(add) == {:ok, "hello"}
      assert Operation.get_content!(add) == "hello"
      assert Operation.base64_content(add) == {:ok, "aGVsbG8="}
      assert Operation.base64_content!(add) == "aGVsbG8="
      assert Operation.file_path?(add) == match?({:path, _}, content)
    end
  end

  test "the path of a file is expanded as by a commit", context do
    File.write!(Path.join(context.dir, "f"), "hello")
    relative = Path.relative_to(Path.join(context.dir, "f"), Path.expand("~"))
    if relative != Path.join(context.dir, "f"), do: assert({:ok, "hello"} = read("~/" <> relative))
    assert {:ok, "hello"} = read(Path.join([context.dir, "x/..", "f"]))
  end

  defp read(path), do: Operation.get_content(Operation.add("f", {:path, path}))

  test "the error of a file that cannot be read names it", context do
    for path <- [Path.join(context.dir, "none"), context.dir] do
      add = Operation.add("f", {:path, path})
      assert {:error, %Error{kind: :io, message: message}} = Operation.get_content(add)
      assert message =~ path
      assert {:error, %Error{kind: :io}} = Operation.base64_content(add)
      assert_raise Error, fn -> Operation.get_content!(add) end
      assert_raise Error, fn -> Operation.base64_content!(add) end
    end
  end

  test "uploaded content is no longer part of the operation", context do
    id = writable(context)
    assert {:ok, [add]} = Commit.preupload_lfs_files(id, [Operation.add("x.bin", {:binary, "big"})], write())
    assert {:error, %Error{kind: :not_found, path: "x.bin"}} = Operation.get_content(add)
    refute Operation.file_path?(add)
  end
end
