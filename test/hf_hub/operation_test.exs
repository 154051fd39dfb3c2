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

  test "a struct made without the functions is checked, and its content is not shown", context do
    for content <- ["password", nil, {:binary, :password}] do
      add = %Operation.Add{path_in_repo: "a", content: content}

      for call <- [
            &Commit.create("a/b", [&1], commit_message: "m"),
            &Commit.preupload_lfs_files("a/b", [&1]),
            &Commit.needs_lfs?/1,
            &Operation.get_content/1,
            &Operation.base64_content/1
          ] do
        error = assert_raise ArgumentError, fn -> call.(add) end
        assert error.message =~ "expected content as {:path, path}"
        refute error.message =~ "password"
      end
    end

    for operation <- [
          %Operation.Add{path_in_repo: nil, content: {:binary, "x"}},
          %Operation.Delete{path_in_repo: :a},
          %Operation.Copy{src_path: "a", dst_path: nil}
        ] do
      assert_raise ArgumentError, ~r/expected a path in the repository/, fn ->
        Commit.create("a/b", [operation], commit_message: "m")
      end
    end

    id = writable(context, %{"old.txt" => "1"})

    operations = [
      %Operation.Delete{path_in_repo: "old.txt"},
      %Operation.Add{path_in_repo: "n", content: {:binary, "n"}}
    ]

    assert {:ok, %{committed?: true}} = Commit.create(id, operations, write(commit_message: "m"))
    assert Map.keys(content(context, id)) == [".gitattributes", "n"]
  end

  test "uploaded content is no longer part of the operation", context do
    id = writable(context)
    assert {:ok, [add]} = Commit.preupload_lfs_files(id, [Operation.add("x.bin", {:binary, "big"})], write())
    assert {:error, %Error{kind: :not_found, path: "x.bin"}} = Operation.get_content(add)
    refute Operation.file_path?(add)
  end
end
