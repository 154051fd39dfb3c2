defmodule HfHub.Parity.CacheCareTest do
  # Compares the scans, `hf cache ls`, `hf cache verify` and deletions of both clients on caches that
  # either or both have filled, with and without the layout of Xet, and on damaged ones.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Download, Python, Vm}

  @moduletag :python
  @moduletag timeout: 180_000

  # The fields that both have, with times in seconds: those of the Python client are floats.
  @theirs """
  def told(report):
      return json.dumps(sorted([
        [r.repo_type, r.repo_id, str(r.repo_path), r.size_on_disk, r.nb_files, int(r.last_accessed), int(r.last_modified), sorted(
          [v.commit_hash, v.size_on_disk, sorted(v.refs), int(v.last_modified), sorted(
            [str(f.file_path), str(f.blob_path), f.file_name, f.size_on_disk, int(f.blob_last_accessed), int(f.blob_last_modified)]
            for f in v.files)]
          for v in r.revisions)]
        for r in report.repos]), separators=(",", ":")) + f" {report.size_on_disk} {len(report.warnings)} {sorted((str(i.file_path), i.size_on_disk) for i in report.incomplete_files)}"
  """

  defp ours(report) do
    second = &DateTime.to_unix/1

    repos =
      for repo <- report.repos do
        revisions =
          for r <- repo.revisions do
            files =
              for f <- r.files,
                  do: [
                    f.file_path,
                    f.blob_path,
                    f.file_name,
                    f.size_on_disk,
                    second.(f.blob_last_accessed),
                    second.(f.blob_last_modified)
                  ]

            [r.commit_hash, r.size_on_disk, Enum.sort(r.refs), second.(r.last_modified), Enum.sort(files)]
          end

        [
          repo.repo_type,
          repo.repo_id,
          repo.repo_path,
          repo.size_on_disk,
          repo.nb_files,
          second.(repo.last_accessed),
          second.(repo.last_modified),
          Enum.sort(revisions)
        ]
      end

    left = for left <- report.incomplete_files, do: "('#{left.file_path}', #{left.size_on_disk})"
    json = repos |> Enum.sort() |> HfHub.Native.Nif.to_json()
    "#{json} #{report.size_on_disk} #{length(report.warnings)} [#{Enum.join(Enum.sort(left), ", ")}]"
  end

  defp assert_told_alike(context, cache) do
    assert ours(Cache.scan!(cache_dir: cache)) ==
             Python.run!(@theirs <> "print(told(scan_cache_dir()))", context.endpoint, cache)
  end

  # Two repositories that share a blob, one with two revisions: filled by either client or by both,
  # and then, for Xet, with the shared blob in the store as after Xet downloads.
  defp fill(context, who, xet?) do
    cache = Path.join(context.dir, "#{who}#{xet?}")
    model = large(200_000)
    {first, _old} = repo(context, %{"a.txt" => "one", "model.safetensors" => model})
    get(context, who, :first, first, cache)

    {^first, commit} =
      repo(context, %{"a.txt" => "two", "model.safetensors" => model, "more.bin" => large(50_000)}, id: first)

    {second, _commit} = repo(context, %{"model.safetensors" => model, "sub/b.txt" => "ü"})
    get(context, who, :second, first, cache)
    get(context, who, :first, second, cache)
    if xet?, do: publish(context, cache, sha256(model))
    %{who: who, cache: cache, first: first, second: second, commit: commit, model: model}
  end

  defp get(context, who, turn, id, cache) do
    if who == :python or {who, turn} == {:both, :second},
      do: Python.run!("snapshot_download('#{id}')", context.endpoint, cache),
      else: Download.snapshot_download!(opts(context, repo_id: id, cache_dir: cache))
  end

  defp publish(context, cache, etag) do
    Python.run!(
      """
      from pathlib import Path
      from huggingface_hub import constants
      from huggingface_hub.utils._shared_blobs import publish_blob_to_shared_store, try_link_from_shared_store
      cache, hash = constants.HF_HUB_CACHE, "5e" * 32
      first, *others = sorted(Path(cache).glob("models--*/blobs/#{etag}"))
      assert publish_blob_to_shared_store(blob_path=first, xet_hash=hash, cache_dir=cache, expected_size=200000)
      for blob in others:
          blob.unlink()
          assert try_link_from_shared_store(blob_path=blob, xet_hash=hash, cache_dir=cache, expected_size=200000)
      """,
      context.endpoint,
      cache
    )
  end

  for who <- [:python, :us, :both], xet? <- [false, true] do
    name = "#{who}#{if xet?, do: ", shared by Xet"}"

    test "a cache filled by #{name}: both clients scan, list, verify and delete alike", context do
      made = fill(context, unquote(who), unquote(xet?))
      assert_told_alike(context, made.cache)
      assert_listed_alike(context, made.cache)
      assert_verified_alike(context, made)
      assert_freed_alike(context, made)
    end
  end

  defp hf(context, cache, args) do
    env = [
      {"HF_ENDPOINT", context.endpoint},
      {"HF_HUB_CACHE", cache},
      {"HF_HOME", Path.join(context.dir, "home")},
      {"HF_HUB_DISABLE_TELEMETRY", "1"},
      {"NO_COLOR", "1"}
    ]

    Python.hf(args, env)
  end

  defp assert_listed_alike(context, cache) do
    {json, 0} = hf(context, cache, ["cache", "ls", "--revisions", "--format", "json"])

    theirs =
      Python.run!(
        "print(sorted([i['id'], i['revision'], i['size'], i['refs']] for i in json.loads(sys.argv[1][sys.argv[1].index('['):sys.argv[1].rindex(']') + 1])))",
        context.endpoint,
        cache,
        [],
        [json]
      )

    ours =
      for repo <- Cache.scan!(cache_dir: cache).repos, r <- repo.revisions do
        refs = Enum.map_join(Enum.sort(r.refs), ", ", &"'#{&1}'")
        "['#{repo.repo_type}/#{repo.repo_id}', '#{r.commit_hash}', '#{size(r.size_on_disk)}', [#{refs}]]"
      end

    assert "[#{ours |> Enum.sort() |> Enum.join(", ")}]" == theirs
  end

  # In the format that Python prints.
  defp size(bytes) when bytes < 1000, do: "#{:erlang.float_to_binary(bytes / 1, decimals: 1)}"
  defp size(bytes), do: "#{:erlang.float_to_binary(bytes / 1000, decimals: 1)}K"

  defp assert_verified_alike(context, made) do
    verify = fn -> hf(context, made.cache, ["cache", "verify", made.first]) end
    ours = fn -> Cache.validate_integrity!(repo_id: made.first, revision: "main", cache_dir: made.cache) end
    assert %{problems: [], revisions: [%{checked: checked, absent: [], extra: []}]} = ours.()
    # Starting Python takes half a second.
    if made.who == :both do
      assert {output, 0} = verify.()
      assert output =~ ~r/(Verified #{checked} file|checked[=: ]+"?#{checked}\b)/
    end

    blob = Path.expand("models--#{String.replace(made.first, "/", "--")}/blobs/#{git("two")}", made.cache)
    File.write!(blob, "bad")
    assert {output, 1} = verify.()
    assert [%{filename: "a.txt", status: :corrupted, expected: expected, actual: actual}] = ours.().problems
    assert output =~ "a.txt: expected #{expected} (git-sha1), got #{actual}"
    File.write!(blob, "two")
  end

  defp git(content),
    do: :crypto.hash(:sha, ["blob #{byte_size(content)}\0", content]) |> Base.encode16(case: :lower)

  # Each set of revisions frees as many bytes for both; after each deletes, both scan the same.
  defp assert_freed_alike(context, made) do
    commits = for repo <- Cache.scan!(cache_dir: made.cache).repos, r <- repo.revisions, do: r.commit_hash
    sets = Enum.reduce(commits, [[]], fn commit, sets -> sets ++ Enum.map(sets, &[commit | &1]) end) -- [[]]

    plans =
      for set <- sets,
          do: Cache.delete_revisions!(set, dry_run: true, cache_dir: made.cache).expected_freed_size

    ask =
      "report = scan_cache_dir(); print([report.delete_revisions(*s).expected_freed_size for s in json.loads(sys.argv[1])])"

    theirs = Python.run!(ask, context.endpoint, made.cache, [], [HfHub.Native.Nif.to_json(sets)])
    assert inspect(plans, limit: :infinity, charlists: :as_lists) == theirs

    [stale] =
      commits --
        for repo <- Cache.scan!(cache_dir: made.cache).repos,
            {_ref, r} <- Cache.Repo.refs(repo),
            do: r.commit_hash

    Python.run!("scan_cache_dir().delete_revisions('#{stale}').execute()", context.endpoint, made.cache)
    assert_told_alike(context, made.cache)
    assert {:ok, %{failures: [], kept: []}} = Cache.delete_revisions([made.commit], cache_dir: made.cache)
    path = Cache.cache_path!(repo_id: made.second, filename: "model.safetensors", cache_dir: made.cache)
    assert File.read!(path) == made.model
    assert {_output, 0} = hf(context, made.cache, ["cache", "rm", "model/#{made.second}", "--yes"])
    assert_told_alike(context, made.cache)
    assert Cache.scan!(cache_dir: made.cache).size_on_disk == 0
  end

  test "two VMs, the Python client and removals at once: returned files are complete", context do
    {id, old} = repo(context, Map.new(1..20, &{"old#{&1}.txt", "#{&1}"}))
    Download.snapshot_download!(opts(context, repo_id: id))
    {^id, _new} = repo(context, Map.new(1..20, &{"new#{&1}.txt", "#{&1}"}), id: id)

    # The Python client holds no lock between storing the ref and the first file: only the age of what it stores, which is
    # no limit below, protects it from `prune`.
    stored = Path.join(context.dir, "stored")

    theirs = """
    from pathlib import Path
    for _ in range(15):
        files = list(Path(snapshot_download("#{id}")).iterdir())
        assert len(files) == 21 and all(f.read_text() for f in files if f.suffix == ".txt"), files
        Path("#{stored}").touch()
    print("whole")
    """

    ours = """
    opts = [repo_id: "#{id}", endpoint: "#{context.endpoint}", cache_dir: "#{context.cache}"]

    for n <- 1..30 do
      {:ok, _folder} = HfHub.Download.snapshot_download([revision: Enum.at(["main", "#{old}"], rem(n, 2))] ++ opts)

      with {:ok, lease} <- HfHub.Cache.lease("#{id}", revision: "#{old}", cache_dir: opts[:cache_dir]) do
        # It may be one that another VM has started to download.
        {:ok, _folder} = HfHub.Download.snapshot_download([revision: "#{old}"] ++ opts)
        files = Path.wildcard(lease.path <> "/*.txt")
        20 = length(files)
        for file <- files, do: File.read!(file)
        HfHub.Cache.release(lease)
      end
    end

    IO.write("whole")
    """

    removals = """
    Stream.repeatedly(fn -> Process.sleep(5) end) |> Enum.find(fn _ok -> File.exists?("#{stored}") end)

    for n <- 1..60 do
      {:ok, %{failures: []}} = HfHub.Cache.prune(older_than: 0, cache_dir: "#{context.cache}")
      {:ok, %{failures: []}} = HfHub.Cache.delete_revisions(["#{old}"], cache_dir: "#{context.cache}")
      Process.sleep(rem(n, 7))
    end

    IO.write("done")
    """

    answers =
      [
        Task.async(fn -> Python.run!(theirs, context.endpoint, context.cache) end),
        Task.async(fn -> Vm.run(Vm.script(context, ours)) end),
        Task.async(fn -> Vm.run(Vm.script(context, ours)) end),
        Task.async(fn -> Vm.run(Vm.script(context, removals)) end)
      ]
      |> Task.await_many(150_000)

    assert answers == ["whole", {"whole", 0}, {"whole", 0}, {"done", 0}]
    assert %{corrupted_files: 0, missing_files: 0} = Cache.validate_integrity!(cache_dir: context.cache)
  end

  test "both clients warn of every kind of damage to a cache", context do
    commit = String.duplicate("c", 40)
    folder = fn name -> Path.join(context.cache, name) end

    write = fn name, text ->
      File.mkdir_p!(Path.dirname(folder.(name)))
      File.write!(folder.(name), text)
    end

    write.("models--a--fine/snapshots/#{commit}/x", "1")
    write.("models--a--fine/refs/main", commit)
    write.("models--a--fine/snapshots/.DS_Store", "")
    write.("models--a--fine/refs/.DS_Store", "")
    write.("models--a--fine/blobs/#{commit}.0123abcd.incomplete", "half")
    File.mkdir_p!(folder.("kernels--a--empty/snapshots/#{commit}"))
    write.(".DS_Store", "")
    assert_told_alike(context, context.cache)

    broken = [
      fn -> write.("models--a--file", "") end,
      fn -> File.mkdir_p!(folder.("nothing")) end,
      fn -> File.mkdir_p!(folder.("blobs")) end,
      fn -> File.mkdir_p!(folder.("buckets--a--b/snapshots")) end,
      fn -> File.mkdir_p!(folder.("models--a--no--snapshots/refs")) end,
      fn -> write.("models--a--snapshots/snapshots", "") end,
      fn ->
        File.mkdir_p!(folder.("models--a--refs/snapshots/#{commit}")) && write.("models--a--refs/refs", "")
      end,
      fn -> write.("models--a--stray/snapshots/file", "") end,
      fn ->
        File.mkdir_p!(folder.("models--a--missing/snapshots/#{commit}"))
        File.ln_s!("../../blobs/none", folder.("models--a--missing/snapshots/#{commit}/x"))
      end,
      fn ->
        write.("models--a--dangling/refs/pr/1", commit) &&
          File.mkdir_p!(folder.("models--a--dangling/snapshots"))
      end
    ]

    for {break, n} <- Enum.with_index(broken, 1) do
      break.()
      assert length(Cache.scan!(cache_dir: context.cache).warnings) == n
    end

    assert_told_alike(context, context.cache)
    assert length(Cache.scan!(cache_dir: context.cache).repos) == 2

    # The Python client takes the line end as part of the commit, and warns.
    File.mkdir_p!(folder.("models--a--newline/snapshots/#{commit}"))
    write.("models--a--newline/refs/main", commit <> "\n")
    report = Cache.scan!(cache_dir: context.cache)
    assert {length(report.repos), length(report.warnings)} == {3, length(broken)}
  end

  test "an adopted cache of hf_hub 0.3 is one of the Python client", context do
    files = %{"config.json" => "{}", "sub/b.txt" => "ü", "model.safetensors" => large(200_000)}
    {id, commit} = repo(context, files)
    old = Path.join([context.cache, "models--" <> String.replace(id, "/", "--"), "snapshots/main"])
    write_files(old, files)

    script = """
    report = scan_cache_dir()
    assert not report.warnings, report.warnings
    [found] = report.repos
    [revision] = found.revisions
    assert (revision.commit_hash, revision.refs) == (sys.argv[2], {"main"}), revision
    for name in ["config.json", "sub/b.txt", "model.safetensors"]:
        print(hf_hub_download(sys.argv[1], name, local_files_only=True))
    """

    assert %{files: 3, unmatched: [], failures: []} = Cache.adopt!(opts(context))
    assert_told_alike(context, context.cache)
    output = Python.run!(script, context.endpoint, context.cache, [], [id, commit])

    for {path, name} <-
          Enum.zip(String.split(output, "\n"), ["config.json", "sub/b.txt", "model.safetensors"]) do
      assert File.read!(path) == files[name]
    end
  end
end
