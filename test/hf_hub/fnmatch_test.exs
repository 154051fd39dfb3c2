defmodule HfHub.FnmatchTest do
  # The patterns of Elixir and of the engine select the same files.
  use HfHub.Case, async: true

  alias HfHub.{Commit, Download}
  alias HfHub.Commit.Operation

  doctest HfHub.Commit, only: [matches_pattern?: 2, lfs_threshold: 0, needs_lfs?: 1]

  @paths ~w(config.json a/b/config.json config.JSON a/x.json onnx/model.onnx x/onnx a/c.txt b.txt [a] run1/x a-b-b-c
            ü.txt x!y ^z -x)

  @patterns [
              "*.json",
              "**/*.json",
              "onnx/",
              "onnx",
              "a?c*",
              "[ab].txt",
              "[!ab]*",
              "[a-c]*",
              "[]]*",
              "[!]]*",
              "[a",
              "[a]"
            ] ++
              [
                "[[]a]",
                "run[1]/x",
                "a*b*c",
                "a*b*d",
                "*",
                "?.txt",
                "[^z]*",
                "[a-]*",
                "[z-a]*",
                "a\\c.txt",
                "*/*",
                "{a,b}",
                "[!a"
              ]

  test "patterns match the files that the engine selects", context do
    {id, _commit} = repo(context, Map.new(@paths, &{&1, &1}))

    for pattern <- @patterns do
      call = opts(context, repo_id: id, allow_patterns: [pattern], dry_run: true)
      selected = for file <- Download.snapshot_download!(call), do: file.filename
      matching = for path <- [".gitattributes" | @paths], Commit.matches_pattern?(path, pattern), do: path
      assert Enum.sort(selected -- [".gitattributes"]) == Enum.sort(matching -- [".gitattributes"]), pattern
    end
  end

  test "a pattern with many stars takes no exponential time" do
    refute Commit.matches_pattern?(String.duplicate("a", 2000), String.duplicate("*a", 20) <> "b")
  end

  test "the size of an addition decides whether it is a large file", context do
    size = Commit.lfs_threshold()
    path = Path.join(context.dir, "large")
    File.open!(path, [:write], &:file.pwrite(&1, size - 1, "x"))

    for {content, large?} <- [
          {{:path, path}, true},
          {{:binary, :binary.copy("x", size - 1)}, false},
          {{:binary, [:binary.copy("x", size - 1), "x"]}, true},
          {{:path, Path.join(context.dir, "none")}, false},
          {{:stream, ["x"]}, false}
        ] do
      assert Commit.needs_lfs?(Operation.add("f", content)) == large?
    end
  end

  test "the way that the Hub chose counts more than the size", context do
    id = writable(context)
    additions = [Operation.add("x.bin", {:binary, "small"}), Operation.add("x.txt", {:binary, "small"})]
    assert {:ok, [large, small]} = Commit.preupload_lfs_files(id, additions, write())
    assert Commit.needs_lfs?(large)
    refute Commit.needs_lfs?(small)
  end
end
