defmodule HfHub.CacheCareTest do
  # Scans, removals, verification and transport of a cache.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Download, Error, FS, Vm}

  @files %{"config.json" => ~s({"a": 1}), "sub/vocab.txt" => "one\ntwo\n"}

  # Two commits of one repository: one file in common, one changed.
  defp two_revisions(context) do
    {id, old} = repo(context, Map.put(@files, "model.safetensors", large(30_000)))
    where = [cache_dir: context.cache]
    Download.snapshot_download!(opts(context, repo_id: id))
    {^id, new} = repo(context, Map.put(@files, "model.safetensors", large(40_000)), id: id)
    Download.snapshot_download!(opts(context, repo_id: id))
    {id, old, new, where}
  end

  defp one(context, files \\ @files) do
    {id, commit} = repo(context, files)
    folder = Download.snapshot_download!(opts(context, repo_id: id))
    {id, commit, folder, [cache_dir: context.cache]}
  end

  defp commits(where), do: for(repo <- Cache.scan!(where).repos, r <- repo.revisions, do: r.commit_hash)

  describe "scan" do
    test "returns repositories, revisions, files and sizes, each blob once", context do
      {id, old, new, where} = two_revisions(context)
      report = Cache.scan!(where)
      assert [%Cache.Repo{repo_id: ^id, repo_type: :model} = found] = report.repos

      assert Enum.sort(for r <- found.revisions, do: {r.commit_hash, r.refs}) ==
               Enum.sort([{old, []}, {new, ["main"]}])

      small = @files |> Map.values() |> Enum.map(&byte_size/1) |> Enum.sum()
      attributes = File.stat!(Path.join([found.repo_path, "snapshots", new, ".gitattributes"])).size
      assert found.size_on_disk == 70_000 + small + attributes
      assert report.size_on_disk == found.size_on_disk and found.nb_files == 5
      assert report.warnings == []
      assert Cache.Repo.refs(found)["main"].commit_hash == new
      assert inspect(report) =~ "1 repo, 2 revisions"
      values = [report, found | found.revisions] ++ hd(found.revisions).files
      for value <- values, do: assert(String.length(inspect(value)) < 120)
      assert {:ok, %{total_size: size, file_count: 5, repos: [%{repo_id: ^id}]}} = Cache.cache_stats(where)
      assert size == found.size_on_disk
    end

    test "warns of damaged repositories and returns the others", context do
      {id, _commit, folder, where} = one(context)
      File.write!(Path.join(context.cache, "models--stray"), "a file")
      File.mkdir_p!(Path.join(context.cache, "models--no--snapshots"))
      File.mkdir_p!(Path.join(context.cache, "nonsense"))
      assert [%{repo_id: ^id}] = Cache.scan!(where).repos
      reasons = for warning <- Cache.scan!(where).warnings, do: warning.reason
      assert Enum.sort(reasons) == [:no_snapshots, :not_a_folder, :not_a_repo]
      File.rm!(Path.expand(File.read_link!(Path.join(folder, "config.json")), folder))
      report = Cache.scan!(where)
      assert report.repos == [] and :missing_blob in for(warning <- report.warnings, do: warning.reason)
      assert {:error, %Error{kind: :not_cached}} = Cache.scan(cache_dir: Path.join(context.dir, "none"))
    end
  end

  describe "delete_revisions" do
    test "keeps blobs that another revision references", context do
      {id, old, new, where} = two_revisions(context)
      {:ok, plan} = Cache.delete_revisions([old, String.duplicate("0", 40)], [dry_run: true] ++ where)
      assert plan.expected_freed_size == 30_000 and plan.freed_size == 0
      assert plan.unknown == [String.duplicate("0", 40)]
      assert length(commits(where)) == 2
      {:ok, done} = Cache.delete_revisions([old], where)
      assert done.freed_size == 30_000
      assert commits(where) == [new]

      for name <- ["config.json", "model.safetensors"] do
        assert Cache.cached?([repo_id: id, filename: name] ++ where)
      end

      {:ok, _done} = Cache.delete_revisions([new], where)
      assert Cache.scan!(where).repos == []
    end

    test "keeps unrelated files, and a linked folder outside of the cache", context do
      {_id, _commit, _folder, where} = one(context)
      outside = Path.join(context.dir, "outside")
      File.mkdir_p!(outside)
      File.write!(Path.join(outside, "precious"), "x")
      File.ln_s!(outside, Path.join(context.cache, "models--planted--link"))
      File.write!(Path.join(context.cache, "notes.txt"), "mine")
      Cache.clear_cache(where)
      assert Path.wildcard(Path.join(context.cache, "models--org--*")) == []
      assert File.read!(Path.join(outside, "precious")) == "x"
      assert File.read!(Path.join(context.cache, "notes.txt")) == "mine"
    end

    test "clear_cache reports what it has removed, with the bytes freed", context do
      {id, _commit, _folder, where} = one(context)
      me = self()
      size = Cache.scan!(where).size_on_disk
      assert Cache.clear_cache([repo_id: id, on_removed: &send(me, {:removed, &1})] ++ where) == :ok
      assert_received {:removed, %Cache.Deletion{repos: [_repo], freed_size: ^size}}
      assert size > 0
      File.rm_rf!(context.cache)
      assert Cache.clear_cache([on_removed: &send(me, {:removed, &1})] ++ where) == :ok
      assert_received {:removed, %Cache.Deletion{repos: [], freed_size: 0}}
    end

    test "keeps a leased revision and reports it, without waiting", context do
      {id, commit, folder, where} = one(context)
      {:ok, lease} = Cache.lease(id, where)
      assert lease.path == folder and lease.commit == commit
      assert {:error, %Error{kind: :lock_timeout}} = Cache.clear_cache([repo_id: id] ++ where)
      {:ok, kept} = Cache.delete_revisions([commit], where)
      assert [%{commit: ^commit, reason: :in_use}] = kept.kept
      assert [%{leased?: true}] = hd(Cache.scan!(where).repos).revisions
      assert Cache.release(lease) == :ok and Cache.release(lease) == :ok
      sent = %{lease | handle: make_ref()}
      assert_raise ArgumentError, ~r/another VM/, fn -> Cache.release(sent) end
      assert Cache.clear_cache([repo_id: id] ++ where) == :ok
    end

    test "keeps a revision that another process leases, until it exits", context do
      {id, commit, _folder, where} = one(context)

      script = """
      {:ok, _lease} = HfHub.Cache.lease("#{id}", cache_dir: "#{context.cache}")
      IO.puts("held")
      Process.sleep(:infinity)
      """

      port = Vm.open(Vm.script(context, script), line: 100)
      assert_receive {^port, {:data, {:eol, "held"}}}, 10_000
      assert {:ok, %{kept: [%{reason: :in_use}]}} = Cache.delete_revisions([commit], where)
      Vm.kill(port)
      eventually(fn -> match?({:ok, %{kept: []}}, Cache.delete_revisions([commit], where)) end)
      assert commits(where) == []
    end

    test "keeps a revision whose lease was garbage collected, while its owner is alive", context do
      {id, commit, _folder, where} = one(context)

      owner =
        forgetful(fn ->
          {:ok, _lease} = Cache.lease(id, where)
          {:ok, _lock} = FS.lock_file(id, "config.json", where)
        end)

      assert {:ok, %{kept: [%{reason: :in_use}]}} = Cache.delete_revisions([commit], where)
      lock = Task.async(fn -> FS.lock_file(id, "config.json", where) end)
      assert Task.yield(lock, 100) == nil
      Process.exit(owner, :kill)
      assert {:ok, _lock} = Task.await(lock)
      eventually(fn -> match?({:ok, %{kept: []}}, Cache.delete_revisions([commit], where)) end)
    end

    # A process that runs on without a reference to its lease, so that a garbage collection may free it.
    defp forgetful(work) do
      me = self()

      owner =
        spawn(fn ->
          work.()
          for _ <- 1..3, do: :erlang.garbage_collect()
          send(me, {:forgotten, self()})
          Process.sleep(:infinity)
        end)

      assert_receive {:forgotten, ^owner}, 10_000
      on_exit(fn -> Process.exit(owner, :kill) end)
      owner
    end

    test "keeps a pinned revision without force: true", context do
      {id, commit, _folder, where} = one(context)
      assert Cache.pin!(id, where) == commit
      assert {:error, %Error{kind: :conflict}} = Cache.clear_cache([repo_id: id] ++ where)
      assert :ok = Cache.evict_lru([target_size: 0] ++ where)
      assert commits(where) == [commit]
      assert Cache.clear_cache([repo_id: id, force: true] ++ where) == :ok
      assert commits(where) == []
    end

    test "keeps a repository with a download in progress", context do
      content = large(3_000_000)
      {id, _commit} = repo(context, %{"model.safetensors" => content})
      fault(sha256(content), %{kind: "throttle", bytes_per_second: 3_000_000})
      opts = opts(context, repo_id: id, filename: "model.safetensors")
      task = Task.async(fn -> Download.hf_hub_download!(opts) end)
      eventually(fn -> Path.wildcard(context.cache <> "/**/*.incomplete") != [] end)
      assert {:error, %Error{kind: :lock_timeout}} = Cache.clear_cache(cache_dir: context.cache)
      assert File.read!(Task.await(task)) == content
    end
  end

  describe "evict" do
    test "removes the least recently used revisions, whole ones at a time", context do
      {first, _commit, _folder, where} = one(context, %{"a.bin" => large(50_000)})
      {second, _commit, _folder, _where} = one(context, %{"b.bin" => large(50_000)})
      age(context.cache, first, 5000)
      assert {:ok, done} = Cache.evict([target_size: 60_000] ++ where)
      assert done.freed_size > 50_000
      assert [%{repo_id: ^second}] = Cache.scan!(where).repos
      assert :ok = Cache.evict_lru([max_age: 100_000] ++ where)
      assert [%{repo_id: ^second}] = Cache.scan!(where).repos
      age(context.cache, second, 200_000)
      assert :ok = Cache.evict_lru([max_age: 100_000] ++ where)
      assert Cache.scan!(where).repos == []
    end

    test "keeps pinned and leased revisions and their blobs", context do
      {id, old, new, where} = two_revisions(context)
      {other, third, _folder, _where} = one(context, %{"c.bin" => large(20_000)})
      Cache.pin!(id, [revision: old] ++ where)
      lease = Cache.lease!(other, where)
      age(context.cache, other, 9000)
      assert {:ok, plan} = Cache.evict([target_size: 0, max_age: 0, dry_run: true] ++ where)
      assert Enum.map(plan.snapshots, &Path.basename/1) == [new] and plan.expected_freed_size == 40_000
      assert {:ok, done} = Cache.evict([target_size: 0] ++ where)
      assert done.freed_size == 40_000 and Enum.sort(commits(where)) == Enum.sort([old, third])
      assert File.read!(Path.join(lease.path, "c.bin")) |> byte_size() == 20_000
      assert %{problems: [], valid_files: 6} = Cache.validate_integrity!(where)
      Cache.release(lease)
      assert {:ok, %{snapshots: [_]}} = Cache.evict([target_size: 0] ++ where)
      assert commits(where) == [old]
    end

    # Sets back the access and modification times of the repository's blobs.
    defp age(cache, id, seconds) do
      then = :calendar.system_time_to_universal_time(System.os_time(:second) - seconds, :second)
      folder = Path.join(cache, "models--" <> String.replace(id, "/", "--"))

      for path <- Path.wildcard(folder <> "/blobs/*") ++ Path.wildcard(folder <> "/snapshots/*") do
        File.write_stat!(path, %{File.stat!(path) | atime: then, mtime: then})
      end
    end
  end

  describe "a partial file" do
    # A sparse file like a partial file: 100 MB long, with a little more than 1 MB on disk.
    defp interrupted(context, folder, age, stem \\ String.duplicate("a", 40)) do
      path = Path.join([context.cache, folder, "blobs", stem <> ".0123abcd.incomplete"])
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, large(1_000_000))
      {_output, 0} = System.cmd("truncate", ["--size", "100000000", path])
      File.touch!(path, System.os_time(:second) - age)
      path
    end

    defp about_a_megabyte?(bytes), do: bytes in 1_000_000..1_100_000

    test "is counted separately from blobs, and removed with its repository", context do
      {id, _old, _new, where} = two_revisions(context)
      folder = "models--" <> String.replace(id, "/", "--")
      before = Cache.scan!(where)
      assert before.incomplete_size == 0
      partial = interrupted(context, folder, 10)
      alone = interrupted(context, "models--org--begun", 10)

      report = Cache.scan!(where)
      assert [repo] = report.repos
      assert {report.size_on_disk, repo.size_on_disk} == {before.size_on_disk, hd(before.repos).size_on_disk}
      assert about_a_megabyte?(repo.incomplete_size) and report.incomplete_size == 2 * repo.incomplete_size
      assert inspect(repo) =~ "incomplete" and inspect(report) =~ "incomplete"

      for target <- [id, "org/begun"] do
        {:ok, plan} = Cache.delete_revisions([target], [dry_run: true] ++ where)
        {:ok, done} = Cache.delete_revisions([target], where)
        own = if target == id, do: repo.size_on_disk, else: 0
        assert plan.expected_freed_size == own + repo.incomplete_size
        assert done.freed_size == plan.expected_freed_size

        assert plan.partials == done.partials and
                 done.partials == [if(target == id, do: partial, else: alone)]
      end

      assert Path.wildcard(context.cache <> "/**/*.incomplete") == []
    end

    test "is kept with a remaining revision, and removed with the last one", context do
      {id, old, new, where} = two_revisions(context)
      partial = interrupted(context, "models--" <> String.replace(id, "/", "--"), 10)
      assert {:ok, %{partials: []}} = Cache.delete_revisions([old], where)
      assert File.exists?(partial)
      assert {:ok, %{partials: [^partial]}} = Cache.delete_revisions([new], where)
      refute File.exists?(partial)
    end

    test "is evicted by its age, and counts for the size", context do
      {id, _old, _new, where} = two_revisions(context)
      folder = "models--" <> String.replace(id, "/", "--")
      size = Cache.scan!(where).size_on_disk
      ancient = interrupted(context, folder, 90_000)
      alone = interrupted(context, "models--org--begun", 80_000)
      fresh = interrupted(context, folder, 0, String.duplicate("b", 40))
      full = size + Cache.scan!(where).incomplete_size

      assert {:ok, %{partials: [], snapshots: []}} = Cache.evict([target_size: full] ++ where)
      target = full - 1_000
      {:ok, plan} = Cache.evict([target_size: target, dry_run: true] ++ where)

      assert plan.partials == [ancient] and plan.snapshots == [] and
               about_a_megabyte?(plan.expected_freed_size)

      {:ok, done} = Cache.evict([target_size: target] ++ where)
      assert {done.partials, done.freed_size} == {[ancient], plan.expected_freed_size}
      assert {:ok, %{partials: [^alone], snapshots: []}} = Cache.evict([max_age: 70_000] ++ where)
      # A recently written one is removed only with the whole repository.
      assert {:ok, %{partials: [^fresh], repos: [_], kept: []}} = Cache.evict([target_size: 0] ++ where)
      assert Cache.scan!(where).incomplete_size == 0
    end
  end

  describe "prune" do
    test "removes detached revisions, partial files and broken links", context do
      {id, old, new, where} = two_revisions(context)
      folder = Path.join(context.cache, "models--" <> String.replace(id, "/", "--"))
      leftover = Path.join([folder, "blobs", String.duplicate("a", 40) <> ".0123abcd.incomplete"])
      File.write!(leftover, "half")
      File.ln_s!("../../blobs/none", Path.join([folder, "snapshots", new, "dangling"]))
      {:ok, plan} = Cache.prune([dry_run: true, older_than: 0] ++ where)
      assert plan.snapshots == [Path.join([folder, "snapshots", old])]
      assert File.exists?(leftover)
      {:ok, done} = Cache.prune([older_than: 0] ++ where)
      assert done.partials == [leftover] and length(done.links) == 1
      refute File.exists?(leftover)
      assert commits(where) == [new]
      {:ok, nothing} = Cache.prune(where)
      assert nothing.freed_size == 0
    end

    test "keeps young partial files", context do
      {id, _commit, _folder, where} = one(context)
      folder = Path.join(context.cache, "models--" <> String.replace(id, "/", "--"))
      leftover = Path.join([folder, "blobs", String.duplicate("a", 40) <> ".0123abcd.incomplete"])
      File.write!(leftover, "half")
      {:ok, done} = Cache.prune(where)
      assert done.partials == [] and File.exists?(leftover)
    end
  end

  describe "validate_integrity" do
    test "finds, names and repairs corrupt and missing files", context do
      {id, commit, folder, where} = one(context, Map.put(@files, "model.safetensors", large(400_000)))

      assert %{corrupted_files: 0, missing_files: 0, total_files: 4} =
               found = Cache.validate_integrity!(where)

      assert Cache.Integrity.sound?(found) and found.valid_files == 4

      blob = &Path.expand(File.read_link!(Path.join(folder, &1)), Path.dirname(Path.join(folder, &1)))
      content = File.read!(blob.("model.safetensors"))
      <<byte, rest::binary>> = content
      File.write!(blob.("model.safetensors"), <<Bitwise.bxor(byte, 1), rest::binary>>)
      File.rm!(blob.("sub/vocab.txt"))
      {:ok, found} = Cache.validate_integrity(where)
      assert %{corrupted_files: 1, missing_files: 1, valid_files: 2} = found

      assert [
               %{status: :corrupted, filename: "model.safetensors", repo_id: ^id, commit: ^commit},
               %{status: :missing}
             ] = Enum.sort_by(found.problems, & &1.filename)

      paths = for name <- ["model.safetensors", "sub/vocab.txt"], do: Path.join(folder, name)
      assert Enum.sort(found.details) == Enum.zip(paths, [:corrupted, :missing])

      me = self()
      Cache.validate_integrity!([progress: &send(me, {:progress, &1})] ++ where)
      assert_received {:progress, %{files_total: 3, bytes_total: total}} when total > 400_000

      repair = [repair: true, endpoint: context.endpoint] ++ where
      assert %{problems: problems} = repaired = Cache.validate_integrity!(repair)
      assert Enum.all?(problems, & &1.repaired) and Cache.Integrity.sound?(repaired)
      assert File.read!(Path.join(folder, "model.safetensors")) == content
      assert %{problems: []} = Cache.validate_integrity!([repo_id: id] ++ where)
    end

    test "requests listings only, with listings: true", context do
      {id, commit} = repo(context, @files)
      path = Download.hf_hub_download!(opts(context, repo_id: id, filename: "config.json"))
      where = [repo_id: id, cache_dir: context.cache]
      assert %{revisions: [%{listed: false, absent: []}]} = Cache.validate_integrity!(where)

      File.write!(Path.join(Path.dirname(path), "new.txt"), "")
      found = Cache.validate_integrity!([listings: true, endpoint: context.endpoint] ++ where)
      assert [%{commit: ^commit, listed: true, extra: ["new.txt"], absent: absent}] = found.revisions
      assert Enum.sort(absent) == [".gitattributes", "sub/vocab.txt"]
      assert asked(id, "vocab.txt") == []
    end
  end

  describe "transport" do
    test "moves the whole cache with its links", context do
      {id, commit, _folder, where} = one(context)
      new = Path.join(context.dir, "new place")
      assert {:ok, ^new} = Cache.move(new, where)
      assert commits(cache_dir: new) == [commit]
      path = Cache.cache_path!(repo_id: id, filename: "config.json", cache_dir: new)

      assert File.read!(path) == @files["config.json"] and
               match?({:ok, "../../blobs/" <> _}, File.read_link(path))

      assert Cache.cache_stats!(where).total_size == 0
    end

    test "exports and imports the given targets, and no corrupt blob", context do
      {id, commit, folder, where} = one(context, Map.put(@files, "model.safetensors", large(100_000)))
      {_other, _commit, _folder, _where} = one(context)
      archive = Path.join(context.dir, "models.tar")
      assert {:ok, %Cache.Archive{revisions: 1}} = Cache.export(archive, [targets: [id]] ++ where)
      there = [cache_dir: Path.join(context.dir, "there")]
      assert {:ok, %Cache.Archive{repos: ["model/" <> ^id]}} = Cache.import(archive, there)
      assert commits(there) == [commit]

      assert Download.snapshot_download!([repo_id: id, revision: commit, endpoint: context.endpoint] ++ there) =~
               commit

      assert %{problems: []} = Cache.validate_integrity!(there)
      assert requests(id) |> Enum.count(&(&1["path"] =~ "/resolve/")) == 4

      File.write!(Path.join(folder, "model.safetensors"), "corrupt")
      assert {:error, %Error{kind: :checksum_mismatch}} = Cache.export(archive, [targets: [id]] ++ where)
      assert {:error, %Error{kind: :not_cached}} = Cache.export(archive, [targets: ["org/none"]] ++ where)
      File.write!(archive, "no archive")
      assert {:error, %Error{}} = Cache.import(archive, there)
    end

    test "materialize writes a plain folder without links", context do
      {id, _commit, _folder, where} = one(context)

      for {method, n} <- Enum.with_index([:auto, :hard_link, :copy]) do
        to = Path.join(context.dir, "plain#{n}")
        assert {:ok, %Cache.Folder{files: 3}} = Cache.materialize(id, to, [method: method] ++ where)

        for {name, content} <- @files do
          path = Path.join(to, name)
          assert File.read!(path) == content and File.lstat!(path).type == :regular
        end
      end

      assert {:error, %Error{kind: :conflict}} =
               Cache.materialize(id, Path.join(context.dir, "plain0"), where)
    end
  end

  describe "unusual caches" do
    test "with odd file names are scanned, moved, exported and verified", context do
      long = String.duplicate("n", 255)
      files = %{"with space/ü.txt" => "1", "文件/run[1]/a#b%c.txt" => "2", long => "3"}
      {id, commit, _folder, where} = one(context, files)
      archive = Path.join(context.dir, "odd names.tar")
      {:ok, _} = Cache.export(archive, where)
      there = [cache_dir: Path.join(context.dir, "ein Ort – там")]
      {:ok, _} = Cache.import(archive, there)
      {:ok, _} = Cache.move(Path.join(context.dir, "weiter"), there)
      there = [cache_dir: Path.join(context.dir, "weiter")]
      assert %{problems: [], valid_files: 4} = Cache.validate_integrity!(there)

      for {name, content} <- files,
          do: assert(File.read!(Cache.cache_path!([repo_id: id, filename: name] ++ there)) == content)

      assert {:ok, %{failures: []}} = Cache.delete_revisions([commit], there)
    end

    @tag :root
    test "with files of another user: these are kept, and each is reported", context do
      {id, commit, _folder, _where} = one(context)
      for folder <- [context.dir, context.cache], do: File.chmod!(folder, 0o755)

      script = """
      where = [cache_dir: "#{context.cache}"]
      IO.inspect(length(HfHub.Cache.scan!(where).repos), label: "repos")
      {:error, error} = HfHub.Cache.clear_cache([repo_id: "#{id}"] ++ where)
      IO.puts(Exception.message(error))
      {:ok, deletion} = HfHub.Cache.delete_revisions(["#{commit}"], where)
      IO.inspect({deletion.freed_size, length(deletion.failures) > 0})
      """

      nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
      assert {output, 0} = Vm.run(Vm.below(Vm.script(context, script), nobody), [{"HOME", "/nonexistent"}])
      assert output =~ "repos: 1" and output =~ "permission denied" and output =~ "{0, true}"
      assert Cache.cached?(repo_id: id, filename: "config.json", cache_dir: context.cache)
    end
  end

  describe "lock_file" do
    test "blocks others until the lock is released or its owner exits", context do
      where = [cache_dir: context.cache]
      {:ok, lock} = FS.lock_file("org/name", "a.txt", where)
      waiting = Task.async(fn -> FS.lock_file("org/name", "a.txt", where) end)
      assert Task.yield(waiting, 100) == nil
      assert {:ok, _other} = FS.lock_file("org/name", "b.txt", where)
      assert FS.unlock_file(lock) == :ok
      assert {:ok, _lock} = Task.await(waiting)
      # The task that held the lock has exited, which released it.
      assert {:ok, lock} = FS.lock_file("org/name", "a.txt", where)
      assert FS.unlock_file(lock) == :ok

      for lock <- [lock, make_ref(), :none],
          do: assert({:error, %Error{kind: :not_found}} = FS.unlock_file(lock))
    end
  end
end
