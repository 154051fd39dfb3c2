defmodule HfHub.CommitTest do
  use HfHub.Case, async: true

  alias HfHub.{Api, Commit, Error}
  alias HfHub.Commit.{CommitInfo, Operation}

  @attributes "*.bin filter=lfs diff=lfs merge=lfs -text\n"

  describe "create/3" do
    test "adds, replaces and deletes in one commit", context do
      id = writable(context, %{"old/a.txt" => "a", "old/b.txt" => "b", "gone.txt" => "x", "keep.txt" => "k"})
      large = large(300_000)
      path = Path.join(context.dir, "weights.bin")
      File.write!(path, large)

      operations = [
        Operation.delete("old/"),
        Operation.delete("gone.txt"),
        Operation.add("new/text.txt", {:binary, ["hel", "lo"]}),
        Operation.add("weights.bin", {:path, path}),
        Operation.add("ünï \"quoted\".txt", {:binary, "q"}),
        Operation.add("old/c.txt", {:stream, ["str", ["eam"]]}),
        Operation.add("empty.bin", {:binary, ""}),
        Operation.add("stream.bin", {:stream, Stream.map(1..3, &String.duplicate("#{&1}", 50_000))})
      ]

      opts = write(commit_message: "All at once", commit_description: "more\nlines", verify: true)
      assert {:ok, %CommitInfo{} = info} = Commit.create(id, operations, opts)
      assert info.commit_url == "#{endpoint()}/#{id}/commit/#{info.oid}"
      assert info.repo_url == "#{endpoint()}/#{id}"
      assert {info.commit_message, info.commit_description} == {"All at once", "more\nlines"}
      assert {info.pr_url, info.pr_num, "#{info}"} == {nil, nil, info.commit_url}

      assert content(context, id) == %{
               ".gitattributes" => @attributes,
               "keep.txt" => "k",
               "new/text.txt" => "hello",
               "weights.bin" => large,
               "ünï \"quoted\".txt" => "q",
               "old/c.txt" => "stream",
               "empty.bin" => "",
               "stream.bin" => for(n <- 1..3, into: "", do: String.duplicate("#{n}", 50_000))
             }

      assert [%{sha: sha, lfs: %{}}] =
               Api.paths_info!(id, "weights.bin", write()) |> Enum.map(&Map.put(&1, :sha, &1.oid))

      assert is_binary(sha)
      assert hd(titles(id)) == "All at once"
    end

    test "makes no commit without changes, after one request", context do
      id = writable(context)
      binary = large(100_000)
      operations = [Operation.add("a.txt", {:binary, "a"}), Operation.add("b.bin", {:binary, binary})]
      info = Commit.create!(id, operations, write(commit_message: "one"))
      before = length(requests(id))
      assert {:ok, again} = Commit.create(id, operations, write(commit_message: "two"))
      assert again.oid == info.oid
      assert titles(id) |> hd() == "one"

      assert [%{"method" => "POST"}] =
               requests(id) |> Enum.drop(before) |> Enum.filter(&(&1["path"] =~ "preupload"))

      assert [_one] = asked(id, "/commit/")

      # A file that one commit deletes and adds unchanged is kept.
      operations = [Operation.delete("b.bin"), Operation.add("b.bin", {:binary, binary})]
      Commit.create!(id, operations, write(commit_message: "three"))
      assert content(context, id)["b.bin"] == binary
    end

    test "copies small and large files, from other revisions and repositories", context do
      big = large(200_000)
      source = writable(context, %{"big.bin" => big, "small.txt" => "from afar"}, repo_type: :dataset)
      id = writable(context, %{"a.txt" => "first", "m.bin" => large(50_000)})
      first = hd(HfHub.Git.list_commits!(id, write())).id
      Commit.upload_file!({:binary, "second"}, "a.txt", id, write())

      operations = [
        Operation.copy("a.txt", "copy.txt"),
        Operation.copy("a.txt", "first.txt", src_revision: first),
        Operation.copy("m.bin", "sub/m.bin"),
        Operation.copy("big.bin", "theirs.bin", src_repo_id: source, src_repo_type: :dataset),
        Operation.copy("small.txt", "theirs.txt", src_repo_id: source, src_repo_type: :dataset)
      ]

      Commit.create!(id, operations, write(commit_message: "copies", verify: true))
      files = content(context, id)
      assert {files["copy.txt"], files["first.txt"], files["theirs.txt"]} == {"second", "first", "from afar"}
      assert files["theirs.bin"] == big and files["sub/m.bin"] == files["m.bin"]
      assert for(%{"method" => "PUT"} <- requests(id), do: 1) == []

      assert {:error, %Error{kind: :entry_not_found} = error} =
               Commit.create(id, [Operation.copy("none.txt", "x.txt")], write(commit_message: "m"))

      assert error.message =~ ~s(cannot copy "none.txt")

      # An existing file is not a change.
      before = titles(id)
      Commit.create!(id, [Operation.copy("a.txt", "copy.txt")], write(commit_message: "again"))
      assert titles(id) == before
    end

    test "opens a pull request, and adds commits to it", context do
      id = writable(context)
      opts = write(commit_message: "Propose", create_pr: true)
      info = Commit.create!(id, [Operation.add("p.bin", {:binary, "pr"})], opts)
      assert %CommitInfo{pr_num: 1, pr_revision: "refs/pr/1"} = info
      assert info.pr_url == "#{endpoint()}/#{id}/discussions/1"
      Commit.upload_file!({:binary, "more"}, "q.txt", id, write(revision: info.pr_revision))
      assert %{"p.bin" => "pr", "q.txt" => "more"} = content(context, id, revision: "refs/pr/1")
      refute Map.has_key?(content(context, id), "p.bin")
    end

    test "returns an error if the branch is not at :parent_commit", context do
      id = writable(context)
      head = hd(HfHub.Git.list_commits!(id, write())).id
      add = fn name -> Commit.upload_file({:binary, name}, name, id, write(parent_commit: head)) end
      assert {:ok, _info} = add.("a.txt")
      assert {:error, %Error{kind: kind} = error} = add.("b.txt")
      assert kind in [:precondition, :conflict]
      assert error.message =~ ~s("main" has changed)
      refute Map.has_key?(content(context, id), "b.txt")
    end

    test "returns errors with the Hub's text and advice", context do
      id = writable(context)
      add = fn content, name, more -> Commit.upload_file(content, name, id, write(more)) end

      card = "---\nlicense: [unclosed\n---\n"

      assert {:error, %Error{kind: :bad_request, path: "README.md"} = error} =
               add.({:binary, card}, "README.md", [])

      assert error.message =~ "the metadata of README.md is not valid, so nothing was uploaded: "
      assert asked(id, "preupload") == []

      reader = "hf_READONLYaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      HfHub.LocalHub.command!(hub(), ["user", "add", "reader", "--token", reader, "--role", "read"])
      assert {:error, %Error{kind: :forbidden} = error} = add.({:binary, "x"}, "x.txt", token: reader)

      assert error.message =~ "you must use a write token" and
               error.message =~ "create a token with write permission"

      assert {:error, %Error{} = error} = add.({:binary, "x"}, "x.txt", token: false)
      assert error.kind in [:no_token, :repo_not_found]
      refute Exception.message(error) =~ reader

      assert {:error, %Error{kind: :repo_not_found} = error} =
               Commit.upload_file({:binary, "x"}, "x", "reader/none", write())

      assert error.message =~ "HfHub.Repo.create/2"

      assert {:error, %Error{kind: :entry_not_found} = error} = Commit.delete_file("nothing.txt", id, write())
      assert error.message =~ "is_folder: true"

      for path <- ["../x", "a/../b", ".git/config", "a/.cache/b", "", "a//b"] do
        assert {:error, %Error{kind: :invalid_name}} = add.({:binary, "x"}, path, [])
      end

      assert {:error, %Error{kind: :io, message: message}} = add.({:path, "/nowhere/x.bin"}, "x.bin", [])
      assert message == "cannot read `/nowhere/x.bin`: it does not exist"
    end

    test "rejects untagged content" do
      for content <- ["/etc/hostname", :x, {:path, 1}, {:binary, 1}, {:stream, 1}, nil] do
        assert_raise ArgumentError, ~r/expected content as/, fn -> Operation.add("a", content) end
      end

      # As in hf_hub 0.3; the string may be private.
      for call <- [&Operation.add("a", &1), &Commit.upload_file(&1, "a", "a/b")] do
        error = assert_raise ArgumentError, fn -> call.("password") end
        assert error.message =~ "got a string; pass {:path, path} to upload a file"
        refute error.message =~ "password"
      end

      assert_raise ArgumentError, ~r/list of HfHub.Commit.Operation structs/, fn ->
        Commit.create("a/b", [:x], commit_message: "m")
      end

      assert_raise ArgumentError, ~r/5 to 64 hex/, fn ->
        Commit.create("a/b", [], commit_message: "m", parent_commit: "HEAD")
      end

      refute inspect(Operation.add("a", {:binary, "secret"})) =~ "secret"
    end
  end

  describe "upload_folder" do
    test "uploads odd names and dotfiles unchanged", context do
      id = writable(context, %{"stale.txt" => "s", "logs/old.log" => "l", "logs/keep.txt" => "k"})

      files = %{
        "README.md" => "---\nlicense: mit\n---\n# Hi\n",
        ".hidden" => "h",
        "run[1]/model..bin" => large(150_000),
        "a b/ü.txt" => "ü",
        "empty.bin" => "",
        "x.tmp" => "t",
        "big.txt" => String.duplicate("line\n", 100_000)
      }

      dir = folder(context, Map.merge(files, %{".git/config" => "no", ".cache/huggingface/x" => "no"}))
      opts = write(ignore_patterns: "*.tmp", delete_patterns: ["*.log", "stale.txt", ".gitattributes"])
      assert {:ok, info} = Commit.upload_folder(dir, id, opts)
      assert titles(id) == ["Upload folder using hf_hub" | tl(titles(id))]
      assert info.oid == hd(HfHub.Git.list_commits!(id, write())).id
      there = content(context, id)
      assert Map.drop(there, [".gitattributes", "logs/keep.txt"]) == Map.delete(files, "x.tmp")
      assert there["logs/keep.txt"] == "k" and there[".gitattributes"] == @attributes

      assert {:ok, again} = Commit.upload_folder(dir, id, opts)
      assert again.oid == info.oid
      assert {:ok, []} = Commit.upload_large_folder(dir, id, opts)

      Commit.upload_folder!(folder(context, %{"one.txt" => "1"}), id, write(path_in_repo: "/deep/er/"))
      assert content(context, id)["deep/er/one.txt"] == "1"
    end

    test "skips files that match an uploaded .gitignore", context do
      id = writable(context)
      dir = folder(context, %{".gitignore" => "*.log\n", "a.log" => "l", "a.txt" => "t"})
      Commit.upload_folder!(dir, id, write())
      assert Map.keys(content(context, id)) == [".gitattributes", ".gitignore", "a.txt"]
    end

    test "splits many files into several commits, with numbered messages", context do
      id = writable(context)
      files = for n <- 1..300, into: %{}, do: {"f/#{n}.txt", "content #{n}"}
      dir = folder(context, files)
      assert {:ok, [_, _] = commits} = Commit.upload_large_folder(dir, id, write(commit_message: "Big"))
      assert Enum.map(commits, & &1.commit_message) == ["Big", "Big (part 2)"]
      assert Map.delete(content(context, id), ".gitattributes") == files
      assert length(asked(id, "preupload")) == 2

      # A second call makes no second set of commits.
      assert {:ok, []} = Commit.upload_large_folder(dir, id, write(commit_message: "Big"))
    end

    test "opens one pull request for many files", context do
      id = writable(context)
      files = for n <- 1..260, into: %{}, do: {"#{n}.txt", "content #{n}"}
      dir = folder(context, files)
      assert {:ok, [one, two]} = Commit.upload_large_folder(dir, id, write(create_pr: true))
      assert {one.pr_num, two.pr_url} == {1, one.pr_url}
      assert Map.delete(content(context, id, revision: "refs/pr/1"), ".gitattributes") == files

      assert_raise ArgumentError, ~r/cannot be combined with revision: "dev"/, fn ->
        Commit.upload_folder(dir, id, write(create_pr: true, revision: "dev"))
      end
    end

    test "returns an error for a missing folder", context do
      assert {:error, %Error{kind: :io, message: message}} =
               Commit.upload_folder(Path.join(context.dir, "none"), "reader/x", write())

      assert message =~ "it does not exist"
    end
  end

  describe "deletion" do
    test "removes files, patterns and folders", context do
      files = for name <- ~w(a.txt b.txt logs/1.log logs/2.log d/x d/y/z), into: %{}, do: {name, name}
      id = writable(context, files)
      assert Commit.delete_file!("a.txt", id, write()).commit_message == "Delete a.txt with hf_hub"
      assert Commit.delete_files!(id, ["*.log"], write()).commit_message == "Delete files *.log with hf_hub"
      assert Commit.delete_folder!("d/", id, write()).commit_message == "Delete folder d/ with hf_hub"
      assert Map.keys(content(context, id)) == [".gitattributes", "b.txt"]
      count = length(titles(id))
      assert {:ok, _head} = Commit.delete_files(id, "*.none", write())
      assert length(titles(id)) == count
    end
  end

  test "large files can be uploaded before their commit", context do
    id = writable(context)
    content = large(70_000)
    additions = [Operation.add("a.bin", {:binary, content}), Operation.add("b.txt", {:binary, "b"})]
    assert {:ok, [a, b]} = Commit.preupload_lfs_files(id, additions, write())
    assert %{content: :uploaded, upload_mode: :lfs, size: 70_000} = a
    assert a.oid == sha256(content)
    assert %{content: {:binary, "b"}, upload_mode: :regular} = b
    assert asked(id, "/commit/") == []
    Commit.create!(id, [a, b], write(commit_message: "both"))
    assert %{"a.bin" => ^content, "b.txt" => "b"} = content(context, id)
    assert [_once] = for(%{"method" => "PUT"} = request <- requests(id), do: request)
  end

  test "progress reports the phases and ends with all files done", context do
    id = writable(context)
    dir = folder(context, %{"a.bin" => large(3_000_000), "b.txt" => "b"})
    fault(id, %{kind: "delay", ms: 150})
    test = self()
    Commit.upload_folder!(dir, id, write(progress: &send(test, {:progress, &1})))

    seen =
      Stream.repeatedly(fn -> receive(do: ({:progress, p} -> p), after: (0 -> nil)) end)
      |> Enum.take_while(& &1)

    last = List.last(seen)

    assert %{activity: :done, files_done: 2, files_total: 2, bytes_done: 3_000_001, bytes_total: 3_000_001} =
             last

    assert last.bytes_hashed == 3_000_000
    assert :committing in Enum.map(seen, & &1.activity)
  end

  test "a bandwidth limit applies to uploads", context do
    id = writable(context)
    started = System.monotonic_time(:millisecond)
    Commit.upload_file!({:binary, large(600_000)}, "a.bin", id, write(max_bandwidth: 1_000_000))
    assert System.monotonic_time(:millisecond) - started > 450
  end
end
