defmodule HfHub.Parity.CacheTest do
  # The same calls of the PyPI client and this library leave the same caches, and each client
  # reads the other's files.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Download, LocalHub, Python, Vm}

  @moduletag :python
  @moduletag timeout: 120_000

  setup context do
    model = large(300_000)

    files = %{
      "config.json" => ~s({"a": 1}\n),
      "model.safetensors" => model,
      "sub/vocab.txt" => "one\n",
      "sub/deep/run[1]/with space.txt" => "odd\n",
      "ü/文件.txt" => "unicode\n",
      "empty" => ""
    }

    {id, commit} = repo(context, files)
    LocalHub.command!(hub(), ["repo", "branch", id, "feature/x"])
    LocalHub.command!(hub(), ["repo", "tag", id, "v1"])

    {:ok,
     id: id, commit: commit, theirs: Path.join(context.dir, "theirs"), ours: Path.join(context.dir, "ours")}
  end

  defp ours(context, more), do: opts(context, [repo_id: context.id, cache_dir: context.ours] ++ more)

  test "a snapshot leaves the same tree", context do
    Python.run!("print(snapshot_download('#{context.id}'))", context.endpoint, context.theirs)
    Download.snapshot_download!(ours(context, []))
    assert_same(context.ours, context.theirs)
  end

  test "branches, tags, single files and missing files leave the same tree", context do
    Python.run!(
      """
      hf_hub_download("#{context.id}", "config.json")
      hf_hub_download("#{context.id}", "sub/vocab.txt", revision="feature/x")
      hf_hub_download("#{context.id}", "model.safetensors", revision="v1")
      try:
          hf_hub_download("#{context.id}", "none.json")
      except huggingface_hub.errors.EntryNotFoundError:
          pass
      """,
      context.endpoint,
      context.theirs
    )

    Download.hf_hub_download!(ours(context, filename: "config.json"))
    Download.hf_hub_download!(ours(context, filename: "sub/vocab.txt", revision: "feature/x"))
    Download.hf_hub_download!(ours(context, filename: "model.safetensors", revision: "v1"))

    assert {:error, %{kind: :entry_not_found}} =
             Download.hf_hub_download(ours(context, filename: "none.json"))

    # This library has cached the listing, which it requested to suggest similar names.
    assert_same(context.ours, context.theirs, &(not (&1 =~ "/trees/")))
  end

  test "a dataset without symlinks leaves the same tree", context do
    {id, _commit} = repo(context, %{"data.csv" => "a\n", "big.bin" => large(20_000)}, repo_type: :dataset)
    env = [{"HF_HUB_DISABLE_SYMLINKS", "1"}, {"HF_HUB_DISABLE_SYMLINKS_WARNING", "1"}]
    Python.run!("snapshot_download('#{id}', repo_type='dataset')", context.endpoint, context.theirs, env)

    {elixir, args} =
      {System.find_executable("elixir"),
       Enum.flat_map(:code.get_path(), &["-pa", to_string(&1)]) ++
         [
           "-e",
           ~s|HfHub.Download.snapshot_download!(repo_id: "#{id}", repo_type: :dataset, endpoint: "#{context.endpoint}", cache_dir: "#{context.ours}")|
         ]}

    path = "#{:code.root_dir()}/bin:#{System.get_env("PATH")}"
    assert {_, 0} = System.cmd(elixir, args, env: [{"PATH", path} | env], stderr_to_stdout: true)
    assert_same(context.ours, context.theirs)
    assert Path.wildcard(context.ours <> "/*/blobs/*") == []
  end

  test "a local_dir gets the same files and metadata", context do
    theirs = Path.join(context.dir, "their_folder")
    ours = Path.join(context.dir, "our_folder")
    Python.run!("snapshot_download('#{context.id}', local_dir='#{theirs}')", context.endpoint, context.theirs)
    Download.snapshot_download!(ours(context, local_dir: ours))
    # The third line of a record is the time.
    timeless = fn tree ->
      Map.new(tree, fn
        {name, {:file, text}} ->
          if name =~ ".metadata",
            do: {name, text |> String.split("\n") |> Enum.take(2)},
            else: {name, {:file, text}}

        other ->
          other
      end)
    end

    # filelock removes this lock file if it can; it is empty.
    drop = &Map.delete(&1, ".cache/huggingface/.gitignore.lock")
    assert ours |> tree() |> timeless.() |> drop.() == theirs |> tree() |> timeless.() |> drop.()

    before = length(requests(context.id))

    get =
      ~s|print(hf_hub_download("#{context.id}", "model.safetensors", local_dir="#{ours}", revision="#{context.commit}"))|

    assert Python.run!(get, context.endpoint, context.theirs) == Path.join(ours, "model.safetensors")

    assert Download.hf_hub_download!(
             ours(context, local_dir: theirs, filename: "model.safetensors", revision: context.commit)
           ) =~ theirs

    assert length(requests(context.id)) == before
  end

  test "each client reads the other's cache offline", context do
    theirs = Python.run!("print(snapshot_download('#{context.id}'))", context.endpoint, context.theirs)
    ours = Download.snapshot_download!(ours(context, []))
    before = length(requests(context.id))
    offline = [{"HF_HUB_OFFLINE", "1"}]
    down = "http://127.0.0.1:1"

    assert Python.run!("print(snapshot_download('#{context.id}'))", down, context.ours, offline) == ours
    config = ~s|print(hf_hub_download("#{context.id}", "config.json"))|
    assert Python.run!(config, down, context.ours, offline) == Path.join(ours, "config.json")
    found = ~s|print(try_to_load_from_cache("#{context.id}", "sub/vocab.txt"))|
    assert Python.run!(found, down, context.ours, offline) == Path.join(ours, "sub/vocab.txt")

    mine = [repo_id: context.id, cache_dir: context.theirs, local_files_only: true]
    assert Download.snapshot_download!(mine) == theirs
    assert Download.hf_hub_download!([filename: "config.json"] ++ mine) == Path.join(theirs, "config.json")
    assert Cache.cache_path!(repo_id: context.id, filename: "ü/文件.txt", cache_dir: context.theirs) =~ theirs
    assert length(requests(context.id)) == before
  end

  test "each client uses the other's cache online without downloading anything again", context do
    Python.run!("snapshot_download('#{context.id}')", context.endpoint, context.theirs)
    Download.snapshot_download!(ours(context, []))
    before = length(requests(context.id))
    Download.snapshot_download!(ours(context, cache_dir: context.theirs))
    Python.run!("snapshot_download('#{context.id}')", context.endpoint, context.ours)
    assert length(requests(context.id)) == before + 2
  end

  test "the Python client finds no problem in the cache of this library", context do
    Download.snapshot_download!(ours(context, []))

    scan = """
    info = scan_cache_dir("#{context.ours}")
    repo, = info.repos
    print(json.dumps([repo.repo_id, repo.repo_type, repo.nb_files, sorted(repo.refs), [str(w) for w in info.warnings]]))
    """

    assert Python.run!(scan, context.endpoint, context.ours) ==
             ~s(["#{context.id}", "model", 7, ["main"], []])

    verify =
      ~s|r = HfApi().verify_repo_checksums("#{context.id}"); print(len(r.mismatches), len(r.missing_paths or []), len(r.extra_paths or []))|

    assert Python.run!(verify, context.endpoint, context.ours) == "0 0 0"
  end

  test "a process of each client share one download", context do
    content = large(20_000_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})

    python =
      Task.async(fn ->
        Python.run!(~s|print(hf_hub_download("#{id}", "model.safetensors"))|, context.endpoint, context.ours)
      end)

    fault(sha256(content), %{kind: "throttle", bytes_per_second: 20_000_000})

    path =
      Download.hf_hub_download!(
        opts(context, repo_id: id, filename: "model.safetensors", cache_dir: context.ours)
      )

    assert Task.await(python, 60_000) == path
    assert File.read!(path) == content
    # The first bytes of a response may be sent before the client closes it unread.
    assert Enum.sum(for request <- requests(content), do: request["bytes_sent"]) < 1.5 * byte_size(content)
  end

  @tag timeout: 120_000
  test "four processes of each client fill one empty cache", context do
    content = large(20_000_000)
    small = Map.new(1..30, &{"data/#{&1}.txt", "#{&1}"})
    {id, _commit} = repo(context, Map.put(small, "model.safetensors", content))
    fault(sha256(content), %{kind: "throttle", bytes_per_second: 20_000_000})

    ours =
      Vm.script(context, """
      opts = [repo_id: "#{id}", endpoint: "#{context.endpoint}", cache_dir: "#{context.ours}"]
      IO.write(HfHub.Download.snapshot_download!(opts))
      """)

    theirs = ~s|print(snapshot_download("#{id}"))|

    folders =
      1..8
      |> Enum.map(fn
        n when rem(n, 2) == 0 -> Task.async(fn -> Python.run!(theirs, context.endpoint, context.ours) end)
        _n -> Task.async(fn -> {_folder, 0} = Vm.run(ours) end)
      end)
      |> Task.await_many(120_000)
      |> Enum.map(&if is_tuple(&1), do: elem(&1, 0), else: &1)

    assert [folder] = Enum.uniq(folders)
    assert sha256(File.read!(Path.join(folder, "model.safetensors"))) == sha256(content)
    for {name, content} <- small, do: assert(File.read!(Path.join(folder, name)) == content)

    for blob <- Path.wildcard(Path.join(context.ours, "models--*/blobs/*")),
        not String.contains?(blob, ".") do
      content = File.read!(blob)
      git = :crypto.hash(:sha, ["blob #{byte_size(content)}\0", content]) |> Base.encode16(case: :lower)
      assert Path.basename(blob) in [git, sha256(content)]
    end
  end

  describe "management" do
    @scan """
    report = scan_cache_dir(sys.argv[1] if len(sys.argv) > 1 else None)
    print(json.dumps(sorted([
      [r.repo_type, r.repo_id, r.size_on_disk, r.nb_files, sorted(
        [v.commit_hash, v.size_on_disk, sorted(v.refs), sorted([str(f.file_path), f.size_on_disk] for f in v.files)]
        for v in r.revisions)]
      for r in report.repos])) + " " + str(report.size_on_disk) + " " + str(len(report.warnings)))
    """

    # The same text from the scan of this library.
    defp ours_as_json(report) do
      repos =
        for repo <- report.repos do
          revisions =
            for r <- repo.revisions do
              files = for file <- r.files, do: [file.file_path, file.size_on_disk]
              [r.commit_hash, r.size_on_disk, Enum.sort(r.refs), Enum.sort(files)]
            end

          [repo.repo_type, repo.repo_id, repo.size_on_disk, repo.nb_files, Enum.sort(revisions)]
        end

      json = repos |> Enum.sort() |> HfHub.Native.Nif.to_json()
      "#{json} #{report.size_on_disk} #{length(report.warnings)}"
    end

    defp filled_by_both(context) do
      shared = Path.join(context.dir, "shared")
      {id, _old} = repo(context, %{"a.txt" => "one", "model.safetensors" => large(200_000)})
      Download.snapshot_download!(opts(context, repo_id: id, cache_dir: shared))
      {^id, _new} = repo(context, %{"a.txt" => "two", "model.safetensors" => large(100_000)}, id: id)
      {data, _commit} = repo(context, %{"d/x.csv" => "1,2"}, repo_type: :dataset)

      Python.run!(
        ~s|snapshot_download("#{id}"); snapshot_download("#{data}", repo_type="dataset")|,
        context.endpoint,
        shared
      )

      {shared, id}
    end

    test "both scans return the same for a cache that both have filled", context do
      {shared, _id} = filled_by_both(context)
      theirs = Python.run!(@scan, context.endpoint, shared) |> String.replace(", ", ",")
      assert ours_as_json(Cache.scan!(cache_dir: shared)) == theirs
      File.write!(Path.join(shared, "models--stray"), "x")
      [blob | _] = Path.wildcard(shared <> "/datasets--*/blobs/*")
      File.rm!(blob)
      theirs = Python.run!(@scan, context.endpoint, shared) |> String.replace(", ", ",")
      assert ours_as_json(Cache.scan!(cache_dir: shared)) == theirs
    end

    test "blobs in the shared store are counted, kept and removed alike", context do
      shared = Path.join(context.dir, "shared")
      content = large(300_000)
      hash = String.duplicate("5e", 32)

      ids =
        for _ <- 1..2 do
          {id, _commit} = repo(context, %{"model.safetensors" => content})
          Download.snapshot_download!(opts(context, repo_id: id, cache_dir: shared))
          id
        end

      # The steps of a Xet download after it has written a blob.
      publish = """
      from pathlib import Path
      from huggingface_hub import constants
      from huggingface_hub.utils._shared_blobs import publish_blob_to_shared_store, try_link_from_shared_store
      first, second = sorted(Path(constants.HF_HUB_CACHE).glob("models--*/blobs/#{sha256(content)}"))
      publish_blob_to_shared_store(blob_path=first, xet_hash="#{hash}", cache_dir=constants.HF_HUB_CACHE, expected_size=300000)
      second.unlink()
      print(try_link_from_shared_store(blob_path=second, xet_hash="#{hash}", cache_dir=constants.HF_HUB_CACHE, expected_size=300000), first.is_symlink())
      """

      assert Python.run!(publish, context.endpoint, shared) == "True True"
      theirs = Python.run!(@scan, context.endpoint, shared) |> String.replace(", ", ",")
      assert ours_as_json(Cache.scan!(cache_dir: shared)) == theirs
      assert %{problems: [], valid_files: 4} = Cache.validate_integrity!(cache_dir: shared)

      [first, second] = ids
      store = Path.join([shared, "blobs", "5e", hash])
      assert :ok = Cache.clear_cache(repo_id: first, cache_dir: shared)
      assert sha256(File.read!(store)) == sha256(content)
      assert Cache.cached?(repo_id: second, filename: "model.safetensors", cache_dir: shared)
      assert :ok = Cache.clear_cache(repo_id: second, cache_dir: shared)
      refute File.exists?(store)
      assert Python.run!("print(len(scan_cache_dir().repos))", context.endpoint, shared) == "0"
    end

    test "each client deletes the other's downloads, and frees as many bytes", context do
      {shared, id} = filled_by_both(context)
      [repo] = for repo <- Cache.scan!(cache_dir: shared).repos, repo.repo_id == id, do: repo
      [detached] = for r <- repo.revisions, r.refs == [], do: r.commit_hash
      plan = Cache.delete_revisions!([detached], cache_dir: shared, dry_run: true)

      theirs = "print(scan_cache_dir().delete_revisions('#{detached}').expected_freed_size)"
      assert Python.run!(theirs, context.endpoint, shared) == to_string(plan.expected_freed_size)
      Python.run!("scan_cache_dir().delete_revisions('#{detached}').execute()", context.endpoint, shared)
      assert %{problems: []} = Cache.validate_integrity!(cache_dir: shared)
      assert :ok = Cache.clear_cache(repo_id: id, cache_dir: shared)

      left =
        Python.run!(
          "print([r.repo_type for r in scan_cache_dir().repos], len(scan_cache_dir().warnings))",
          context.endpoint,
          shared
        )

      assert left == "['dataset'] 0"
    end

    test "both clients find the same corrupt file", context do
      {shared, id} = filled_by_both(context)
      blobs = Path.wildcard(shared <> "/models--*/blobs/" <> String.duplicate("?", 64))
      [current] = for blob <- blobs, File.stat!(blob).size == 100_000, do: blob
      File.write!(current, large(100_000))

      assert %{problems: [%{filename: "model.safetensors", status: :corrupted}]} =
               Cache.validate_integrity!(cache_dir: shared)

      verify =
        "r = HfApi().verify_repo_checksums('#{id}'); print([m['path'] for m in r.mismatches], r.checked_count)"

      assert Python.run!(verify, context.endpoint, shared) =~ "model.safetensors"
    end
  end

  defp assert_same(ours, theirs, keep \\ fn _ -> true end) do
    [ours, theirs] =
      for folder <- [ours, theirs] do
        # The lock file between downloads and removals of this library; other clients ignore it.
        folder
        |> tree()
        |> Map.filter(fn {name, _} -> keep.(name) and not String.ends_with?(name, "/hf_hub.busy") end)
      end

    assert Map.keys(ours) == Map.keys(theirs)
    for {name, entry} <- theirs, do: assert({name, ours[name]} == {name, entry})
  end
end
