defmodule HfHub.LockTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, Lock, Vm}
  alias HfHub.Lock.{Entry, PinnedFile, Text}

  setup context do
    {:ok, lock: Path.join(context.dir, "hf_hub.lock")}
  end

  defp pin!(context, id, more \\ []),
    do: Lock.pin!(id, [lock: context.lock, endpoint: context.endpoint, retry_delay: 10] ++ more)

  defp get(context, more \\ []), do: Lock.get(opts(context, [lock: context.lock] ++ more))

  # Requests for files, not for listings.
  defp downloads(id), do: for(request <- requests(id), request["path"] =~ "/resolve/", do: request["path"])

  describe "pin" do
    test "writes the commit and the hash of each file, sorted, with one line per file", context do
      {id, commit} =
        repo(context, %{"b.txt" => "b", "a/model.safetensors" => "weights", "config.json" => "{}"})

      assert %Entry{commit: ^commit, revision: "main"} = pin!(context, id, ignore_patterns: [".git*"])

      assert File.read!(context.lock) =~ """
             %{
               "model/#{id}" => %{
                 revision: "main",
                 commit: "#{commit}",
                 ignore_patterns: [".git*"],
                 files: %{
                   "a/model.safetensors" => {:sha256, "#{sha256("weights")}", 7},
                   "b.txt" => {:git_sha1, "63d8dbd40c23542e740659a7168a0ce3138ea748", 1},
                   "config.json" => {:git_sha1, "9e26dfeeb6e641a33dae4961196235bdb965b21b", 2},
                 },
               },
             }
             """

      assert {:ok, [entry]} = Lock.read(lock: context.lock)
      assert Text.format([entry]) == File.read!(context.lock)
    end

    test "keeps the recorded revision and patterns, and pins the new commit", context do
      id = writable(context, %{"a.txt" => "1", "b.txt" => "1"})
      HfHub.Git.create_branch!(id, "dev", write())
      first = pin!(context, id, revision: "dev", allow_patterns: "a*", token: token())
      HfHub.Commit.upload_file!({:binary, "2"}, "a.txt", id, write(revision: "dev"))
      second = pin!(context, id, token: token())
      assert {second.revision, second.allow_patterns} == {"dev", ["a*"]}
      assert first.commit != second.commit
      assert [%{path: "a.txt"}] = second.files
      assert Lock.read!(lock: context.lock) == [second]
    end

    test "keeps other entries, and unpin removes one", context do
      {one, _commit} = repo(context, %{"a" => "a"})
      {two, _commit} = repo(context, %{"a" => "a"}, repo_type: :dataset)
      pin!(context, two, repo_type: :dataset)
      pin!(context, one)

      assert for(entry <- Lock.read!(lock: context.lock), do: Text.name(entry)) == [
               "dataset/#{two}",
               "model/#{one}"
             ]

      assert {:error, %Error{kind: :not_found}} = Lock.unpin(two, lock: context.lock, repo_type: :model)
      assert :ok = Lock.unpin("hf://datasets/#{two}", lock: context.lock)
      assert [%{repo_id: ^one}] = Lock.read!(lock: context.lock)
    end

    test "takes a repository by its name in the file, and an id alone as that of its entry", context do
      {id, _commit} = repo(context, %{"a" => "a"}, repo_type: :dataset)
      assert %{repo_type: :dataset} = pin!(context, "dataset/#{id}", revision: "main")
      for repo <- [id, "dataset/#{id}", {:hf, id}], do: assert(%{repo_type: :dataset} = pin!(context, repo))
      assert [%{repo_id: ^id}] = Lock.read!(lock: context.lock)
      opts = [lock: context.lock, endpoint: context.endpoint, retry_delay: 10]
      assert {:error, %Error{kind: :repo_not_found}} = Lock.pin(id, [repo_type: :model] ++ opts)
      assert :ok = Lock.unpin(id, lock: context.lock)
      pin!(context, id, repo_type: "dataset")
      assert :ok = Lock.unpin("dataset/#{id}", lock: context.lock)
      assert Lock.read!(lock: context.lock) == []
    end

    test "writes to the file that a link points to", context do
      {id, _commit} = repo(context, %{"a" => "a"})
      shared = Path.join(context.dir, "shared.lock")
      File.ln_s!("shared.lock", context.lock)
      pin!(context, id)
      assert {:ok, "shared.lock"} = File.read_link(context.lock)
      assert [%{repo_id: ^id}] = Lock.read!(lock: shared)
    end

    test "of patterns that match no file, or of a path, is an error, and writes nothing", context do
      {id, _commit} = repo(context, %{"a.txt" => "a"})
      opts = [lock: context.lock, endpoint: context.endpoint]
      assert {:error, %Error{kind: :entry_not_found}} = Lock.pin(id, [allow_patterns: ["*.gguf"]] ++ opts)
      assert {:error, %Error{kind: :invalid_name}} = Lock.pin("hf://#{id}/a.txt", opts)
      refute File.exists?(context.lock)
    end
  end

  describe "get" do
    test "downloads the pinned files, then only what is missing, then nothing", context do
      files = %{"a.txt" => "a", "model.safetensors" => large(50_000), "unwanted.bin" => "x"}
      {id, commit} = repo(context, files)
      pin!(context, id, allow_patterns: ["*.txt", "*.safetensors"])
      assert {:ok, [%{commit: ^commit, path: path, downloaded: downloaded}]} = get(context)
      assert downloaded == ["a.txt", "model.safetensors"]
      assert File.read!(Path.join(path, "model.safetensors")) == files["model.safetensors"]
      refute File.exists?(Path.join(path, "unwanted.bin"))

      File.rm!(Path.join(path, "a.txt"))
      before = length(downloads(id))
      assert {:ok, [%{downloaded: ["a.txt"]}]} = get(context)
      refute Enum.any?(Enum.drop(downloads(id), before), &(&1 =~ "model.safetensors"))

      before = length(requests(id))
      assert {:ok, [%{downloaded: []}]} = get(context)
      assert {:ok, [%{path: ^path}]} = Lock.verify(lock: context.lock, cache_dir: context.cache)
      assert length(requests(id)) == before
    end

    test "makes no request with local_files_only, and names what is missing", context do
      {id, _commit} = repo(context, %{"a.txt" => "a", "b.txt" => "b"})
      pin!(context, id, ignore_patterns: [".*"])
      before = length(requests(id))

      assert {:error, %Error{kind: :not_cached, path: "a.txt", message: message}} =
               get(context, local_files_only: true)

      assert message =~ ~s("a.txt" and 1 more of model/#{id})
      assert length(requests(id)) == before
    end

    test "rejects a file that is not what is pinned, before any is downloaded", context do
      {id, _commit} = repo(context, %{"a.txt" => "a", "model.safetensors" => "weights"})
      pin!(context, id)
      text = File.read!(context.lock)
      File.write!(context.lock, String.replace(text, sha256("weights"), sha256("others")))
      assert {:error, %Error{kind: :checksum_mismatch, path: "model.safetensors"} = error} = get(context)
      assert error.message =~ "expected sha256 #{sha256("others")}" and error.message =~ sha256("weights")
      assert downloads(id) == []

      assert {:error, %Error{kind: :checksum_mismatch}} =
               Lock.check(lock: context.lock, endpoint: context.endpoint)
    end

    test "selects repositories by id or type, and names one that is not there", context do
      {one, _commit} = repo(context, %{"a" => "a"})
      {two, _commit} = repo(context, %{"a" => "a"}, repo_type: :dataset)
      pin!(context, one)
      pin!(context, two, repo_type: :dataset)
      assert {:ok, [%{repo_id: ^two}]} = get(context, repos: [two])
      assert {:ok, [%{repo_id: ^two}]} = get(context, repos: ["dataset/#{two}", "hf://datasets/#{two}"])
      assert {:error, %Error{kind: :not_found, message: message}} = get(context, repos: ["org/none"])
      assert message =~ "org/none"
    end
  end

  test "an error about a repository shows no token in its options", context do
    lock = Path.join(context.dir, "hf_hub.lock")
    File.write!(lock, "%{}")

    for token <- ["hf_CANARY", "canary"], function <- [&Lock.get/1, &Lock.verify/1, &Lock.check/1] do
      assert {:error, %Error{kind: :not_found} = error} =
               function.(lock: lock, repos: [{:hf, "org/none", auth_token: token}])

      assert error.message =~ ~s({:hf, "org/none", [:auth_token]} is not in)
      refute inspect(error) =~ token
    end
  end

  test "verify finds a damaged file by its content, and get a file of another size", context do
    {id, _commit} = repo(context, %{"model.safetensors" => "weights"})
    pin!(context, id)
    {:ok, [%{path: path}]} = get(context)
    file = Path.join(path, "model.safetensors")
    File.write!(file, "damaged")
    assert {:ok, _snapshots} = get(context, local_files_only: true)

    assert {:error, %Error{kind: :checksum_mismatch, message: message}} =
             Lock.verify(lock: context.lock, cache_dir: context.cache)

    assert message =~ "the cache has sha256 #{sha256("damaged")}"
    # To pin it again would change nothing.
    assert message =~ "`mix hf_hub.cache verify model/#{id} --repair` downloads it again"
    File.write!(file, "cut")
    assert {:error, %Error{kind: :checksum_mismatch}} = get(context, local_files_only: true)
  end

  test "check requires the pinned commit at the Hub", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    pin!(context, id)
    opts = [lock: context.lock, endpoint: context.endpoint, retry_delay: 10]
    assert {:ok, [%Entry{repo_id: ^id}]} = Lock.check(opts)
    text = File.read!(context.lock)

    File.write!(
      context.lock,
      Regex.replace(~r/commit: "\w+"/, text, ~s(commit: "#{String.duplicate("a", 40)}"))
    )

    assert {:error, %Error{kind: :revision_not_found}} = Lock.check(opts)
  end

  describe "a mirror" do
    setup context do
      content = large(50_000)
      {id, _commit} = repo(context, %{"config.json" => "{}", "model.safetensors" => content})
      {:ok, id: id, content: content}
    end

    for name <- ~w(commits_sha256 olah artifactory nexus etag_is_bare_sha1) do
      test "with the dialect #{name} is pinned, and its files are verified", context do
        context = %{context | endpoint: dialect(context.id, unquote(name), [context.content])}
        assert %Entry{files: [_attributes, _config, _model]} = pin!(context, context.id)
        assert {:ok, [%{path: path}]} = get(context)
        assert File.read!(Path.join(path, "model.safetensors")) == context.content
        assert {:ok, [%{downloaded: []}]} = get(context, local_files_only: true)
        assert {:ok, [_snapshot]} = Lock.verify(lock: context.lock, cache_dir: context.cache)
      end
    end

    test "that lists ids of its own cannot be pinned, and names the file", context do
      context = %{context | endpoint: dialect(context.id, "tree_oids_opaque", [context.content])}
      opts = [lock: context.lock, endpoint: context.endpoint]
      assert {:error, %Error{kind: :invalid_response, path: ".gitattributes"}} = Lock.pin(context.id, opts)
      refute File.exists?(context.lock)
      assert {:ok, _large} = Lock.pin(context.id, [allow_patterns: "*.safetensors"] ++ opts)
    end
  end

  @hash String.duplicate("a", 40)

  defp lock(entry), do: "%{\"model/org/x\" => %{#{entry}}}"

  test "a lock file of another form is an error, and is not evaluated", context do
    witness = Path.join(context.dir, "evaluated")
    good = ~s(revision: "main", commit: "#{@hash}", files: %{"a" => {:git_sha1, "#{@hash}", 1}})
    assert {:ok, [_entry]} = Text.parse(lock(good), "l")

    for {text, why} <- [
          {"", "it is empty"},
          {" \n", "it is empty"},
          {"[]", "expected a map"},
          {"%{", "line 1"},
          {"\xff", "UTF-8"},
          {"<<<<<<< HEAD\n" <> lock(good), "merge conflict"},
          {"%{model: 1}", "strings as keys"},
          {"File.write!(#{inspect(witness)}, \"\")", "expected a map"},
          {"%{\"model/org/x\" => File.write!(#{inspect(witness)}, \"\")}", "expected a map"},
          {"%{\"\#{File.write!(#{inspect(witness)}, \"\")}\" => 1}", "strings as keys"},
          {"%{\"org\" => %{}}", "is not a repository"},
          {"%{\"bucket/org/x\" => %{}}", "is not a repository"},
          {"%{\"model/../../x\" => %{#{good}}}", "invalid"},
          {lock(good <> ", files: %{}"), "twice"},
          {"%{\"model/org/x\" => %{#{good}}, \"model/org/x\" => %{#{good}}}", "twice"},
          {lock(~s(revision: "main", files: %{})), "has no commit"},
          {lock(good <> ~s(, size: 1)), "unknown key"},
          {lock(String.replace(good, ~s(commit: "#{@hash}"), ~s(commit: "main"))), "40 or 64 hex digits"},
          {lock(String.replace(good, "main", "../../x")), "revision"},
          {lock(String.replace(good, ~s("a" =>), ~s("../../.bashrc" =>))), ".bashrc"},
          {lock(String.replace(good, ~s("a" =>), ~s("/etc/passwd" =>))), "passwd"},
          {lock(String.replace(good, ":git_sha1", ":sha256")), "no valid hash"},
          {lock(String.replace(good, ":git_sha1", ":md5")), "no valid hash"},
          {lock(String.replace(good, ", 1}", ", -1}")), "no valid hash"},
          {lock(String.replace(good, ", 1}", ", 1 + 1}")), "no valid hash"},
          {lock(good <> ~s(, allow_patterns: [self\(\)])), "allow_patterns"}
        ] do
      File.write!(context.lock, text)
      assert {:error, %Error{kind: :invalid_response, message: message}} = Lock.read(lock: context.lock), text
      assert message =~ why, text <> "\n" <> message
      assert message =~ "hf_hub.lock"
    end

    refute File.exists?(witness)
  end

  test "an unknown word in a lock file creates no atom", context do
    word = "word_#{System.unique_integer([:positive])}_of_this_test"
    File.write!(context.lock, "%{\"model/org/x\" => %{#{word}: :#{word}_too}}")
    assert {:error, %Error{kind: :invalid_response}} = Lock.read(lock: context.lock)
    assert_raise ArgumentError, fn -> String.to_existing_atom(word) end
  end

  test "a lock file is read by a VM that has done nothing before", context do
    hashes =
      for {algorithm, length} <- [sha256: 64, git_sha1: 40, git_sha256: 64],
          do: {algorithm, String.duplicate("a", length)}

    files =
      for {algorithm, hash} <- hashes,
          do: %PinnedFile{path: "#{algorithm}", algorithm: algorithm, hash: hash, size: 1}

    for type <- [:model, :dataset, :space] do
      entry = %Entry{repo_type: type, repo_id: "org/x", revision: "main", commit: @hash, files: files}
      File.write!(context.lock, Text.format([%{entry | allow_patterns: ["*"], ignore_patterns: ["x"]}]))

      script =
        Vm.script(
          context,
          "[entry] = HfHub.Lock.read!(lock: #{inspect(context.lock)})\nIO.puts(length(entry.files))"
        )

      assert Vm.run(script) == {"3\n", 0}
    end
  end

  test "names with quotes, interpolations and other scripts survive" do
    names = ["a \"b\"", "\#{System.halt()}", "模型.bin", "back\\slash"]
    files = for name <- names, do: %PinnedFile{path: name, algorithm: :git_sha1, hash: @hash, size: 0}
    entry = %Entry{repo_type: :space, repo_id: "org/x", revision: "main", commit: @hash, files: files}
    text = Text.format([entry])

    assert length(String.split(text, "\n")) ==
             length(String.split(Text.format([%{entry | files: []}]), "\n")) + 4

    assert {:ok, [read]} = Text.parse(text, "l")
    assert Enum.sort(Enum.map(read.files, & &1.path)) == Enum.sort(names)
  end

  test "the lock file is never half written: it is replaced by a rename", context do
    {id, _commit} = repo(context, %{"a" => "a"})
    pin!(context, id)
    {:ok, %{inode: first}} = File.stat(context.lock)
    pin!(context, id)
    {:ok, %{inode: second}} = File.stat(context.lock)
    assert first != second
    assert File.ls!(context.dir) |> Enum.filter(&(&1 =~ "hf_hub.lock")) == ["hf_hub.lock"]
  end

  test "processes that pin at once keep each other's entries", context do
    ids = for _n <- 1..4, do: elem(repo(context, %{"a.txt" => "a"}), 0)
    # Each begins when all are ready, and changes the file several times.
    script = """
    [id] = System.argv()
    opts = [lock: #{inspect(context.lock)}, endpoint: #{inspect(context.endpoint)}]
    IO.puts("ready")
    IO.gets("")
    for n <- 1..5 do
      HfHub.Lock.pin!(id, opts)
      if n < 5, do: HfHub.Lock.unpin!(id, opts)
    end
    """

    {executable, args} = Vm.script(context, script)
    ports = for id <- ids, do: Vm.open({executable, args ++ [id]}, [:exit_status, :stderr_to_stdout])
    for port <- ports, do: assert_receive({^port, {:data, "ready\n"}}, 30_000)
    for port <- ports, do: Port.command(port, "\n")
    for port <- ports, do: assert({"", 0} = Vm.ended(port))
    assert for(entry <- Lock.read!(lock: context.lock), do: entry.repo_id) == Enum.sort(ids)
    assert Enum.filter(File.ls!(context.dir), &(&1 =~ "hf_hub.lock")) == ["hf_hub.lock"]
  end

  test "a folder that does not exist is not created", context do
    {id, _commit} = repo(context, %{"a" => "a"})
    path = Path.join(context.dir, "missing/hf_hub.lock")
    assert {:error, %Error{kind: :io, path: ^path}} = Lock.pin(id, lock: path, endpoint: context.endpoint)
    assert {:error, %Error{kind: :io, message: message}} = Lock.unpin(id, lock: path)
    assert message =~ "there is none; `mix hf_hub.lock REPO` creates it"
    assert {:error, %Error{kind: :io, message: message}} = Lock.read(lock: context.dir)
    assert message =~ "it is not a regular file"
    refute File.exists?(Path.dirname(path))
  end

  test "a pipe or a folder in the place of the lock file is an error", context do
    File.mkdir!(context.lock)
    assert {:error, %Error{kind: :io}} = Lock.read(lock: context.lock)
  end
end
