defmodule HfHub.CacheAdoptTest do
  # Caches that hf_hub 0.3 has filled: plain files below `snapshots/<branch>`.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Download, Error, Git, Vm}
  alias HfHub.Cache.Adoption

  # Writes files as hf_hub 0.3 stored them, and returns their folder.
  defp fill(context, id, files, opts \\ []) do
    type = opts[:repo_type] || :model
    name = "#{type}s--" <> String.replace(id, "/", "--")
    write_files(Path.join([context.cache, name, "snapshots", opts[:revision] || "main"]), files)
  end

  defp files do
    %{"config.json" => "{}", "sub/vocab.txt" => "ü", "empty.txt" => "", "model.safetensors" => large(300_000)}
  end

  defp adopt(context, more \\ []), do: Cache.adopt(opts(context, more))

  defp reasons(context),
    do: for(warning <- Cache.scan!(cache_dir: context.cache).warnings, do: warning.reason)

  defp visible(cache) do
    for {path, entry} <- tree(cache), not String.starts_with?(path, ".locks/"), into: %{}, do: {path, entry}
  end

  test "adopts files that match, which are cached afterwards without a download", context do
    files = files()
    {id, commit} = repo(context, files)
    folder = fill(context, id, files)

    assert {:ok, %Adoption{files: 4, unmatched: [], failures: [], dry_run?: false} = adoption} =
             adopt(context)

    bytes = files |> Map.values() |> Enum.map(&byte_size/1) |> Enum.sum()
    assert adoption.bytes == bytes and Adoption.complete?(adoption)

    assert [%{repo_type: :model, repo_id: ^id, revision: "main", commit: ^commit, files: 4}] =
             adoption.revisions

    assert inspect(adoption) =~ "adopted 4 files, 300.0 kB, 0 unmatched"
    refute File.exists?(folder)
    assert asked(id, "/resolve/") == []

    before = length(requests(id))
    ask = opts(context, repo_id: id, ignore_patterns: ".gitattributes")
    file = Keyword.delete(ask, :ignore_patterns)

    for {name, content} <- files, more <- [[local_files_only: true], [revision: commit]] do
      assert File.read!(Download.hf_hub_download!(file ++ [filename: name] ++ more)) == content
    end

    assert Path.basename(Download.snapshot_download!(ask ++ [revision: commit])) == commit
    assert length(requests(id)) == before

    # The same cache as after a download.
    other = Path.join(context.dir, "other")
    Download.snapshot_download!(Keyword.put(ask, :cache_dir, other))
    assert visible(context.cache) == visible(other)
    assert reasons(context) == []
    assert {:ok, %Adoption{files: 0} = again} = adopt(context)
    assert Adoption.complete?(again)
  end

  describe "revisions" do
    setup :writer

    test "may be tags, and branches with slashes", context do
      {id, commit} = repo(context, %{"a.txt" => "one"}, repo_type: :dataset)
      ask = [endpoint: context.endpoint, token: context.writer, repo_type: :dataset]
      Git.create_tag!(id, "v1.0", ask)
      Git.create_branch!(id, "feature/b/c", ask)
      revisions = ["feature/b/c", "main", "v1.0"]

      for revision <- revisions,
          do: fill(context, id, %{"a.txt" => "one"}, repo_type: :dataset, revision: revision)

      assert {:ok, %Adoption{files: 3, unmatched: [], failures: []} = adoption} = adopt(context)
      assert adoption.revisions |> Enum.map(& &1.revision) |> Enum.sort() == revisions
      [repo] = Cache.scan!(cache_dir: context.cache).repos
      assert [%{commit_hash: ^commit, refs: ^revisions}] = repo.revisions
    end
  end

  test "files that do not match stay where they are, and are named", context do
    files = files()
    {id, commit} = repo(context, files)
    <<first, rest::binary>> = files["model.safetensors"]
    flipped = <<Bitwise.bxor(first, 1), rest::binary>>
    wrong = %{"model.safetensors" => flipped, "sub/vocab.txt" => "much longer", "own.txt" => "mine"}
    folder = fill(context, id, Map.merge(files, wrong))
    {_output, 0} = System.cmd("mkfifo", [Path.join(folder, "empty.txt.fifo")])
    File.rm!(Path.join(folder, "empty.txt"))
    File.rename!(Path.join(folder, "empty.txt.fifo"), Path.join(folder, "empty.txt"))

    for _again <- 1..2 do
      assert {:ok, adoption} = adopt(context)
      refute Adoption.complete?(adoption)
      found = for file <- adoption.unmatched, into: %{}, do: {file.filename, {file.reason, file.path}}
      at = &Path.join(folder, &1)

      assert found == %{
               "model.safetensors" => {:different, at.("model.safetensors")},
               "sub/vocab.txt" => {:different, at.("sub/vocab.txt")},
               "own.txt" => {:not_listed, at.("own.txt")},
               "empty.txt" => {:failed, at.("empty.txt")}
             }

      for {name, content} <- wrong, do: assert(File.read!(at.(name)) == content)
      refute File.exists?(at.("config.json"))
    end

    local = opts(context, repo_id: id, filename: "config.json", local_files_only: true)
    assert Download.hf_hub_download!(local) =~ commit
    assert {:error, %{kind: :not_cached}} = Download.hf_hub_download(Keyword.put(local, :filename, "own.txt"))
  end

  test "a dry run compares and changes nothing", context do
    {id, _commit} = repo(context, files = files())
    fill(context, id, Map.put(files, "config.json", "[]"))
    before = tree(context.cache)
    assert {:ok, %Adoption{dry_run?: true, files: 3} = adoption} = adopt(context, dry_run: true)
    assert [%{filename: "config.json", reason: :different}] = adoption.unmatched
    assert inspect(adoption) =~ "would adopt 3 files"
    assert tree(context.cache) == before
  end

  test "adopts one repository if it is named, and reports progress", context do
    {one, _commit} = repo(context, files = files())
    {other, _commit} = repo(context, %{"a.txt" => "1"})
    fill(context, one, files)
    folder = fill(context, other, %{"a.txt" => "1"})
    assert {:ok, %Adoption{files: 4}} = adopt(context, repo_id: one, progress: self())
    assert_receive {:hf_hub_progress, %{activity: :done, files_done: 4, files_total: 4}}
    assert File.exists?(Path.join(folder, "a.txt"))
  end

  test "a repository that is gone is reported, and the others are adopted", context do
    {id, _commit} = repo(context, %{"a.txt" => "1"})
    fill(context, id, %{"a.txt" => "1"})
    gone = fill(context, "org/gone-#{System.unique_integer([:positive])}", %{"a.txt" => "1"})
    fill(context, id, %{"a.txt" => "1"}, revision: "no-such-branch")
    assert {:ok, %Adoption{files: 1, failures: failures}} = adopt(context)
    kinds = for failure <- failures, do: {failure.revision, failure.error.kind}
    assert Enum.sort(kinds) == [{"main", :repo_not_found}, {"no-such-branch", :revision_not_found}]

    assert [%{path: ^gone, repo_type: :model, error: %Error{}}] =
             Enum.filter(failures, &(&1.revision == "main"))

    assert File.read!(Path.join(gone, "a.txt")) == "1"
  end

  test "a Hub that cannot be reached is an error, and nothing changes", context do
    fill(context, "org/model", files())
    before = tree(context.cache)
    {:ok, listener} = :gen_tcp.listen(0, [])
    {:ok, port} = :inet.port(listener)
    :gen_tcp.close(listener)
    assert {:error, %Error{kind: :transport}} = adopt(context, endpoint: "http://127.0.0.1:#{port}")
    assert tree(context.cache) == before
  end

  test "a cached blob is used, and a corrupt one is replaced", context do
    content = large(300_000)
    {id, _commit} = repo(context, %{"a.safetensors" => content, "b.safetensors" => content})
    Download.hf_hub_download!(opts(context, repo_id: id, filename: "a.safetensors"))
    [blob] = Path.wildcard(context.cache <> "/models--*/blobs/*")

    for there <- [content, large(300_000)] do
      File.write!(blob, there)
      fill(context, id, %{"b.safetensors" => content})
      assert {:ok, %Adoption{files: 1}} = adopt(context)
      assert File.read!(blob) == content

      path =
        Download.hf_hub_download!(
          opts(context, repo_id: id, filename: "b.safetensors", local_files_only: true)
        )

      assert File.read!(path) == content
    end

    assert Path.wildcard(context.cache <> "/models--*/blobs/*") == [blob]
  end

  test "links in an old folder are neither followed nor removed", context do
    {id, _commit} = repo(context, %{"a.txt" => "1", "b.txt" => "2"})
    folder = fill(context, id, %{"b.txt" => "2"})
    outside = Path.join(context.dir, "outside")
    File.write!(outside, "1")
    File.ln_s!(outside, Path.join(folder, "a.txt"))
    assert {:ok, %Adoption{files: 1, unmatched: []}} = adopt(context)
    assert File.read_link!(Path.join(folder, "a.txt")) == outside and File.read!(outside) == "1"
  end

  describe "scan" do
    test "warns about files of hf_hub 0.3, and counts them as the Python client does", context do
      folder = fill(context, "org/model", %{"a.txt" => "1"})
      report = Cache.scan!(cache_dir: context.cache)
      assert [%{reason: :old_layout, path: ^folder, message: message}] = report.warnings
      assert message =~ "hf_hub 0.3" and message =~ folder and message =~ "mix hf_hub.cache adopt"
      assert [%{repo_id: "org/model", revisions: [%{commit_hash: "main"}]}] = report.repos
    end

    test "warns about a cache in the folder that hf_hub 0.3 was configured with", context do
      below = Path.join(context.cache, "hub")
      fill(%{context | cache: below}, "org/model", %{"a.txt" => "1"})

      assert [%{reason: :cache_below, path: ^below, message: message}] =
               Cache.scan!(cache_dir: context.cache).warnings

      assert message =~ "config :hf_hub, cache_dir: #{inspect(below)}"
      assert {:ok, %Adoption{failures: [%{path: ^below, error: error}]}} = adopt(context)
      assert error.message =~ "hf_hub 0.3" and error.message =~ inspect(below)
    end

    test "does not warn about a folder without repositories", context do
      File.mkdir_p!(Path.join(context.cache, "hub/other"))
      assert reasons(context) == [:not_a_repo]
    end
  end

  @tag timeout: 120_000
  test "an adoption that is killed leaves a valid cache, and the next one continues", context do
    files = Map.new(1..120, &{"part#{&1}.bin", large(200_000)})
    attributes = %{".gitattributes" => "*.bin filter=lfs diff=lfs merge=lfs -text\n"}
    {id, commit} = repo(context, Map.merge(attributes, files))
    folder = fill(context, id, files)
    [repo] = Path.wildcard(context.cache <> "/models--*")

    command =
      Vm.script(context, """
      {:ok, adoption} = HfHub.Cache.adopt(endpoint: "#{context.endpoint}", cache_dir: "#{context.cache}")
      IO.puts("adopted \#{adoption.files}")
      """)

    left = fn -> folder |> Path.join("*.bin") |> Path.wildcard() |> length() end

    # An adoption that ends before the kill starts again from the whole folder.
    kill = fn kill, attempts ->
      before = left.()
      port = Vm.open(command, [:exit_status])
      eventually(fn -> left.() < before - 5 end, 6000)
      Vm.kill(port)
      {output, status} = Vm.ended(port)

      unless status == 137 and left.() > 0 do
        assert attempts > 0, "no adoption was killed before it ended: #{output}"
        fill(context, id, files)
        kill.(kill, attempts - 1)
      end
    end

    for _kill <- 1..2 do
      kill.(kill, 10)
      assert reasons(context) -- [:old_layout] == []
      assert File.read!(Path.join(repo, "refs/main")) == commit

      for {name, content} <- files do
        paths = [Path.join(folder, name), Path.join([repo, "snapshots", commit, name])]
        assert Enum.any?(paths, &File.exists?/1)
        for path <- paths, File.exists?(path), do: assert(File.read!(path) == content)
      end
    end

    assert {:ok, %Adoption{unmatched: [], failures: []}} = adopt(context)
    refute File.exists?(folder)
    assert length(asked(id, "/tree/")) == 1
    local = opts(context, repo_id: id, local_files_only: true, allow_patterns: "*.bin")
    snapshot = Download.snapshot_download!(local)
    for {name, content} <- files, do: assert(File.read!(Path.join(snapshot, name)) == content)
    assert Cache.validate_integrity!(cache_dir: context.cache).corrupted_files == 0
  end
end
