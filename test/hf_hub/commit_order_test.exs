defmodule HfHub.CommitOrderTest do
  # Commits that replace a file by a folder or the other way round, and files whose
  # names cannot be written on every machine.
  use HfHub.Case, async: true

  alias HfHub.{Commit, Error}
  alias HfHub.Commit.{CommitInfo, Operation}

  defp create(id, operations, more \\ []),
    do: Commit.create(id, operations, write([commit_message: "m", verify: true] ++ more))

  defp files(context, id), do: context |> content(id) |> Map.delete(".gitattributes")

  describe "a commit is verified when" do
    test "a folder replaces a file", context do
      id = writable(context, %{"a" => "file", "b.bin" => "b"})
      assert {:ok, %CommitInfo{}} = create(id, [Operation.delete("a"), Operation.copy("b.bin", "a/b.bin")])
      assert files(context, id) == %{"a/b.bin" => "b", "b.bin" => "b"}
    end

    test "a file replaces a folder", context do
      id = writable(context, %{"a/x" => "x", "a/y/z" => "z"})

      assert {:ok, %CommitInfo{}} =
               create(id, [Operation.delete("a/"), Operation.add("a", {:binary, "file"})])

      assert files(context, id) == %{"a" => "file"}
    end

    test "an added file is deleted again", context do
      id = writable(context, %{"keep.txt" => "k"})

      assert {:ok, %CommitInfo{}} =
               create(id, [Operation.add("q/x.txt", {:binary, "x"}), Operation.delete("q/")])

      assert {:ok, %CommitInfo{}} =
               create(id, [Operation.add("r.txt", {:binary, "r"}), Operation.delete("r.txt")])

      assert files(context, id) == %{"keep.txt" => "k"}
    end

    test "a folder is deleted and filled again", context do
      id = writable(context, %{"d/x" => "x", "d/y" => "y"})
      assert {:ok, %CommitInfo{}} = create(id, [Operation.delete("d/"), Operation.add("d/y", {:binary, "y"})])
      assert files(context, id) == %{"d/y" => "y"}
    end

    test "a file that a preupload found unchanged is deleted and added", context do
      content = large(2000)
      id = writable(context, %{"b.bin" => content, "c.txt" => "c"})
      additions = [Operation.add("b.bin", {:binary, content}), Operation.add("c.txt", {:binary, "c"})]
      assert {:ok, [b, c]} = Commit.preupload_lfs_files(id, additions, write())
      assert {b.upload_mode, b.oid, c.upload_mode} == {:unchanged, sha256(content), :unchanged}
      assert {:ok, %CommitInfo{committed?: false}} = create(id, [b, c])

      assert {:ok, %CommitInfo{committed?: true}} =
               create(id, [Operation.delete("b.bin"), b, Operation.delete("c.txt"), c])

      assert files(context, id) == %{"b.bin" => content, "c.txt" => "c"}
    end

    test "one path is written several times", context do
      id = writable(context, %{"a.txt" => "same"})
      operations = [Operation.add("a.txt", {:binary, "else"}), Operation.add("a.txt", {:binary, "same"})]
      assert {:ok, %CommitInfo{}} = create(id, operations)
      assert files(context, id) == %{"a.txt" => "same"}
    end
  end

  test "a commit whose response is lost is found when a folder replaces a file", context do
    id = writable(context, %{"a" => "file"})
    before = length(titles(id))
    fault("#{id}/commit/", %{kind: "lose_answer"}, %{times: 1})
    assert {:ok, info} = create(id, [Operation.delete("a"), Operation.add("a/x", {:binary, "x"})])
    assert info.oid == hd(HfHub.Git.list_commits!(id, write())).id
    assert files(context, id) == %{"a/x" => "x"}
    assert length(titles(id)) == before + 1
  end

  describe "upload_folder/3 with :delete_patterns" do
    test "verifies a folder in place of a deleted file", context do
      id = writable(context, %{"data" => "file"})
      dir = folder(context, %{"data/x.txt" => "x"})
      assert {:ok, %CommitInfo{}} = Commit.upload_folder(dir, id, write(delete_patterns: "*"))
      assert files(context, id) == %{"data/x.txt" => "x"}
    end

    test "deletes before it adds", context do
      id = writable(context, %{"v1/x.txt" => "x", "w" => "w"})
      dir = folder(context, %{"v1" => "file", "w/y.txt" => "y"})
      assert {:ok, %CommitInfo{}} = Commit.upload_folder(dir, id, write(delete_patterns: ["v1/*", "w"]))
      assert files(context, id) == %{"v1" => "file", "w/y.txt" => "y"}
    end

    test "deletes before it adds in the first of many commits", context do
      id = writable(context, %{"1/x.txt" => "x"})
      dir = folder(context, for(n <- 1..300, into: %{}, do: {"#{n}", "file #{n}"}))
      assert {:ok, [_one, _two]} = Commit.upload_large_folder(dir, id, write(delete_patterns: "1/*"))
      assert files(context, id)["1"] == "file 1"
    end
  end

  @odd ["a\nb.txt", "a\tb.txt", "a\u0085b.txt", "a\u007Fb.txt", "Q: what.txt", "sub/A:b.txt", "\\lead.txt"]

  describe "names that some machines cannot write" do
    test "do not prevent the deletion of other files", context do
      files = Map.new(@odd, &{&1, "odd"}) |> Map.merge(%{"old1" => "o", "old2" => "o", "old3" => "o"})
      id = writable(context, files)
      assert {:ok, %CommitInfo{}} = Commit.delete_files(id, "old1", write(verify: true))
      dir = folder(context, %{"new.txt" => "n"})
      assert {:ok, %CommitInfo{}} = Commit.upload_folder(dir, id, write(delete_patterns: "old2"))
      assert {:ok, %CommitInfo{}} = Commit.delete_file("old3", id, write(verify: true))
    end

    test "can be deleted and copied under other names", context do
      id = writable(context, Map.new(@odd, &{&1, "content of #{&1}"}))
      copies = for {name, n} <- Enum.with_index(@odd), do: Operation.copy(name, "copy#{n}")
      assert {:ok, %CommitInfo{}} = create(id, copies)

      for name <- @odd do
        assert {:ok, %CommitInfo{}} = Commit.delete_file(name, id, write(verify: true)), name
      end

      expected = for {name, n} <- Enum.with_index(@odd), into: %{}, do: {"copy#{n}", "content of #{name}"}
      assert files(context, id) == expected
    end

    test "can be listed and looked up", context do
      id = writable(context, %{"a\nb.txt" => "1", "d\te/A:b.txt" => "2", "keep" => "k"})

      assert Enum.sort(HfHub.Api.list_repo_files!(id, write())) == [
               ".gitattributes",
               "a\nb.txt",
               "d\te/A:b.txt",
               "keep"
             ]

      assert [%{path: "d\te/A:b.txt"}] = HfHub.Api.list_repo_tree!(id, write(path_in_repo: "d\te"))
      assert [%{path: "a\nb.txt"}] = HfHub.Api.paths_info!(id, "a\nb.txt", write())
      assert HfHub.Repo.file_exists?(id, "a\nb.txt", write())
      refute HfHub.Repo.file_exists?(id, "a\nc.txt", write())

      for path <- ["", "../up", "a/../b", "a//b", "/a"] do
        assert {:error, %Error{kind: :invalid_name}} = HfHub.Repo.file_exists(id, path, write())
      end

      # Names of files to write are still validated.
      download = [
        repo_id: id,
        filename: "a\nb.txt",
        endpoint: endpoint(),
        cache_dir: context.cache,
        token: token()
      ]

      assert {:error, %Error{kind: :invalid_name}} = HfHub.Download.hf_hub_download(download)
    end

    test "are deleted by a pattern and with their folder", context do
      id = writable(context, %{"a\nb.txt" => "1", "d/A:b.txt" => "2", "keep" => "k"})
      assert {:ok, %CommitInfo{}} = Commit.delete_files(id, "a*", write(verify: true))
      assert {:ok, %CommitInfo{}} = Commit.delete_folder("d", id, write(verify: true))
      assert files(context, id) == %{"keep" => "k"}
    end
  end
end
