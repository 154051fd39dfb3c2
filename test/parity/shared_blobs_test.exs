defmodule HfHub.Parity.SharedBlobsTest do
  # Both clients share files of Xet storage between the repositories of a cache, in the same layout.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Commit, Download, Python, Repo}

  @moduletag :python
  @moduletag timeout: 180_000

  # Two repositories with a file in common, which the second one has under another name.
  setup context do
    shared = large(300_000)
    first = stored(%{"model.bin" => shared, "own.bin" => large(60_000), "config.json" => "{}"})
    second = stored(%{"sub/copy.bin" => shared, "config.json" => "{}"})
    {:ok, first: first, second: second, shared: shared, caches: Path.join(context.dir, "caches")}
  end

  defp stored(files) do
    id = "reader/shared-#{System.unique_integer([:positive])}-#{System.pid()}"
    {:ok, _repo} = Repo.create(id, write())
    adds = for {name, content} <- files, do: Commit.Operation.add(name, {:binary, content})
    {:ok, _info} = Commit.create(id, adds, write(commit_message: "Add", xet: :auto))
    id
  end

  defp cache(context, name), do: Path.join(context.caches, name)

  defp python!(context, cache, code, env \\ []),
    do: Python.run!(code, context.endpoint, cache, [{"HF_HUB_DISABLE_XET", "0"} | env])

  # With one worker: two that create the store at once remove each other's marker.
  defp get(context, :python, cache, id),
    do: python!(context, cache, "snapshot_download('#{id}', max_workers=1)")

  defp get(context, :us, cache, id),
    do: Download.snapshot_download!(opts(context, repo_id: id, cache_dir: cache, xet: :auto))

  # All files with their permissions, without what only one of the clients leaves: lock files.
  defp whole(cache) do
    for {name, entry} <- tree(cache), not (name =~ ~r/hf_hub.busy$/), into: %{} do
      {name, {entry, mode(Path.join(cache, name))}}
    end
  end

  defp mode(path), do: if(path =~ "/blobs/", do: File.lstat!(path).mode)

  defp payloads(cache), do: for(path <- Path.wildcard(cache <> "/blobs/??/*"), not (path =~ "."), do: path)

  test "downloads of both clients in any order leave the same tree", context do
    [same | others] =
      for first <- [:python, :us], second <- [:python, :us] do
        cache = cache(context, "#{first}-#{second}")
        get(context, first, cache, context.first)
        get(context, second, cache, context.second)
        assert length(payloads(cache)) == 2
        whole(cache)
      end

    for other <- others do
      assert Map.keys(other) == Map.keys(same)
      for {name, entry} <- same, do: assert({name, other[name]} == {name, entry})
    end
  end

  test "both clients scan, plan and delete alike", context do
    cache = cache(context, "mixed")
    get(context, :us, cache, context.first)
    get(context, :python, cache, context.second)
    report = Cache.scan!(cache_dir: cache)
    sets = for repo <- report.repos, do: Enum.map(repo.revisions, & &1.commit_hash)
    sets = [Enum.concat(sets) | sets]
    plans = for set <- sets, do: Cache.delete_revisions!(set, dry_run: true, cache_dir: cache)

    theirs = """
    report = scan_cache_dir()
    plans = [report.delete_revisions(*s).expected_freed_size for s in json.loads(sys.argv[1])]
    print([report.size_on_disk, sorted(r.size_on_disk for r in report.repos), plans])
    """

    ours = [
      report.size_on_disk,
      Enum.sort(Enum.map(report.repos, & &1.size_on_disk)),
      Enum.map(plans, & &1.expected_freed_size)
    ]

    sets = HfHub.Native.Nif.to_json(sets)
    assert Python.run!(theirs, context.endpoint, cache, [], [sets]) == inspect(ours, charlists: :as_lists)
    [all, first, second] = Enum.map(plans, & &1.expected_freed_size)
    assert all - first - second == 300_000

    delete =
      "r = scan_cache_dir(); [x] = [x for x in r.repos if x.repo_id == sys.argv[1]]; " <>
        "[v] = x.revisions; r.delete_revisions(v.commit_hash).execute()"

    Python.run!(delete, context.endpoint, cache, [], [context.first])
    assert [_shared] = payloads(cache)
    assert File.read!(cached(context, cache)) == context.shared
    left = Cache.scan!(cache_dir: cache)
    assert left.unreferenced_blobs == []
    removal = Cache.delete_revisions!(["model/#{context.second}"], cache_dir: cache)
    assert removal.freed_size == removal.expected_freed_size
    assert payloads(cache) == []
  end

  defp cached(context, cache) do
    Cache.cache_path!(repo_id: context.second, filename: "sub/copy.bin", cache_dir: cache)
  end

  test "dry runs of both clients count what the store has, and a forced download repairs it", context do
    cache = cache(context, "repaired")
    get(context, :python, cache, context.first)
    plan = fn -> Download.hf_hub_download!(copy(context, cache, dry_run: true)) end
    assert %{cached?: true, will_download?: false} = plan.()

    ask = "print(hf_hub_download('#{context.second}', 'sub/copy.bin', dry_run=True).will_download)"
    assert python!(context, cache, ask) == "False"
    assert python!(context, cache, ask, [{"HF_HUB_DISABLE_SHARED_BLOBS", "1"}]) == "True"
    assert %{cached?: false} = Download.hf_hub_download!(copy(context, cache, dry_run: true, xet: false))

    # Wrong content of the right size: the store stays as it is, and this repository has its own copy.
    [payload] = for path <- payloads(cache), File.read!(path) == context.shared, do: path
    wrong = large(300_000)
    File.chmod!(payload, 0o644)
    File.write!(payload, wrong)
    path = Download.hf_hub_download!(copy(context, cache))
    assert {File.read!(path), File.read!(payload)} == {context.shared, wrong}
    get(context, :us, cache, context.first)

    assert Download.hf_hub_download!(copy(context, cache, force_download: true)) == path
    assert {File.read!(path), File.read!(payload)} == {context.shared, context.shared}
    model = Cache.cache_path!(repo_id: context.first, filename: "model.bin", cache_dir: cache)
    assert File.read!(model) == context.shared
    assert %{problems: []} = Cache.validate_integrity!(cache_dir: cache)
  end

  defp copy(context, cache, more \\ []) do
    file = [repo_id: context.second, filename: "sub/copy.bin", cache_dir: cache, xet: :auto]
    opts(context, Keyword.merge(file, more))
  end

  test "copies into folders and archives are whole files that their owner can write", context do
    cache = cache(context, "source")
    for id <- [context.first, context.second], do: get(context, :us, cache, id)
    local = Path.join(context.dir, "local")
    Download.snapshot_download!(opts(context, repo_id: context.second, cache_dir: cache, local_dir: local))
    file = Path.join(local, "sub/copy.bin")
    assert {File.lstat!(file).access, File.read!(file)} == {:read_write, context.shared}

    archive = Path.join(context.dir, "archive.tar")
    Cache.Transport.export!(archive, cache_dir: cache)
    imported = cache(context, "imported")
    Cache.Transport.import!(archive, cache_dir: imported)
    assert File.read!(cached(context, imported)) == context.shared

    moved = cache(context, "moved")
    Cache.Transport.move!(moved, cache_dir: cache)
    assert File.read!(cached(context, moved)) == context.shared
    assert python!(context, moved, "print(len(scan_cache_dir().repos))") == "2"
    get(context, :python, moved, context.second)

    assert %{shared_blobs: [_, _], failures: []} = Cache.evict!(target_size: 0, cache_dir: moved)
    assert payloads(moved) == []
  end

  test "blobs that a removed folder has left are pruned", context do
    cache = cache(context, "pruned")
    get(context, :us, cache, context.first)
    File.rm_rf!(hd(Path.wildcard(cache <> "/models--*")))
    assert length(Cache.scan!(cache_dir: cache).unreferenced_blobs) == 2
    assert %{freed_size: 360_000} = Cache.prune!(older_than: 0, cache_dir: cache)
    assert payloads(cache) == []
  end

  test "both clients download and delete in one cache at once", context do
    cache = cache(context, "busy")

    theirs = """
    import hashlib, pathlib
    for _ in range(12):
        path = pathlib.Path(hf_hub_download("#{context.first}", "model.bin"))
        assert hashlib.sha256(path.read_bytes()).hexdigest() == "#{sha256(context.shared)}"
        report = scan_cache_dir()
        report.delete_revisions(*[v.commit_hash for r in report.repos if r.repo_id == "#{context.first}" for v in r.revisions]).execute()
    print("whole")
    """

    ours = fn ->
      for _ <- 1..40 do
        assert File.read!(Download.hf_hub_download!(copy(context, cache))) == context.shared
        assert %{failures: []} = Cache.delete_revisions!(["model/#{context.second}"], cache_dir: cache)
      end

      "whole"
    end

    tasks = [Task.async(fn -> python!(context, cache, theirs) end), Task.async(ours)]
    assert Task.await_many(tasks, 120_000) == ["whole", "whole"]
    Cache.prune!(older_than: 0, cache_dir: cache)
    assert payloads(cache) == []
  end
end
