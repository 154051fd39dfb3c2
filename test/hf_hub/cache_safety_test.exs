defmodule HfHub.CacheSafetyTest do
  # Handmade caches, as other users and clients may leave them: which files must not be lost, followed or waited for.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Download, Error, Vm}

  @old String.duplicate("a", 40)
  @new String.duplicate("b", 40)
  @nobody ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

  # Creates a repository in the layout of all clients, from revisions `%{commit => %{file => content}}`.
  defp craft(cache, revisions, refs) do
    repo = Path.join(cache, "models--org--name")

    for {commit, files} <- revisions, {name, content} <- files do
      blob = Path.join([repo, "blobs", git(content)])
      link = Path.join([repo, "snapshots", commit, name])
      for path <- [blob, link], do: File.mkdir_p!(Path.dirname(path))
      File.write!(blob, content)
      ups = name |> Path.split() |> Enum.map_join("/", fn _part -> ".." end)
      File.ln_s!("#{ups}/../blobs/#{git(content)}", link)
    end

    for {name, commit} <- refs do
      path = Path.join([repo, "refs", name])
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, commit)
    end

    repo
  end

  defp git(content),
    do: :crypto.hash(:sha, ["blob #{byte_size(content)}\0", content]) |> Base.encode16(case: :lower)

  defp two(cache),
    do:
      craft(cache, %{@old => %{"a" => "same", "b" => "old"}, @new => %{"a" => "same", "b" => "new"}}, %{
        "main" => @new
      })

  # Runs a script as another user than root, who owns the cache.
  defp as_nobody(context, script) do
    File.chmod!(context.dir, 0o755)
    System.cmd("chown", ["-R", "-h", "65534:65534", context.cache])

    fn before ->
      before.()

      command =
        Vm.below(Vm.script(context, "where = [cache_dir: #{inspect(context.cache)}]\n" <> script), @nobody)

      {output, 0} = Vm.run(command, [{"HOME", "/nonexistent"}])
      output
    end
  end

  describe "an unreadable file or folder" do
    @describetag :root

    test "keeps the blobs that it may reference", context do
      repo =
        craft(context.cache, %{@old => %{"a" => "same"}, @new => %{"sub/a" => "same", "sub/b" => "mine"}}, %{
          "main" => @new
        })

      sub = Path.join([repo, "snapshots", @new, "sub"])

      run =
        as_nobody(context, """
        {:ok, deletion} = HfHub.Cache.delete_revisions(["#{@old}"], where)
        IO.inspect(deletion.unknown == ["#{@old}"], label: "unknown")
        {:ok, pruned} = HfHub.Cache.prune([older_than: 0] ++ where)
        IO.inspect({pruned.blobs, pruned.links, pruned.refs, pruned.snapshots}, label: "pruned")
        IO.inspect(pruned.failures, label: "failures")
        """)

      output = run.(fn -> File.chmod!(sub, 0) end)

      for text <- ["unknown: true", "cannot read", "pruned: {[], [], [], []}"],
          do: assert(output =~ text, output)

      File.chmod!(sub, 0o755)
      assert File.read!(Path.join(sub, "a")) == "same" and File.read!(Path.join(sub, "b")) == "mine"
    end

    test "does not make links count as broken", context do
      repo = craft(context.cache, %{@new => %{"a" => "here"}}, %{"main" => @new})

      run =
        as_nobody(context, """
        {:ok, pruned} = HfHub.Cache.prune([older_than: 0] ++ where)
        IO.inspect(pruned.links, label: "links")
        IO.inspect(for(w <- HfHub.Cache.scan!(where).warnings, do: w.reason), label: "warnings")
        """)

      output = run.(fn -> File.chmod!(Path.join(repo, "blobs"), 0) end)
      assert output =~ "links: []" and output =~ "warnings: [:unreadable]"
      File.chmod!(Path.join(repo, "blobs"), 0o755)
      assert File.read!(Path.join([repo, "snapshots", @new, "a"])) == "here"
    end

    test "is a held lease, if it is another user's lock", context do
      two(context.cache)
      lease = Path.join([context.cache, ".locks", "models--org--name", @old <> ".lease"])

      script = """
      {:ok, deletion} = HfHub.Cache.delete_revisions(["#{@old}"], where)
      IO.inspect(for(kept <- deletion.kept, do: kept.reason), label: "kept")
      """

      File.mkdir_p!(Path.dirname(lease))
      run = as_nobody(context, script)
      {:ok, held} = Cache.lease("org/name", revision: @old, cache_dir: context.cache)
      # The lock belongs to root: first it is readable, then not.
      assert File.stat!(lease).uid == 0
      assert run.(fn -> File.chmod!(lease, 0o644) end) =~ "kept: [:in_use]"
      Cache.release(held)
      assert run.(fn -> File.chmod!(lease, 0o600) end) =~ "kept: [:in_use]"
      assert run.(fn -> File.chmod!(lease, 0o644) end) =~ "kept: []"
    end
  end

  describe "links" do
    test "to a repository: its revisions are not removed, and removing it all removes only the link",
         context do
      outside = two(Path.join(context.dir, "outside"))
      File.mkdir_p!(context.cache)
      link = Path.join(context.cache, "models--org--name")
      File.ln_s!(outside, link)
      where = [cache_dir: context.cache]
      assert {:ok, %{failures: [failure], freed_size: 0}} = Cache.delete_revisions([@old], where)
      assert failure =~ "is a symbolic link"
      assert {:ok, %{failures: [_], snapshots: []}} = Cache.prune([older_than: 0] ++ where)
      assert {:ok, %{snapshots: []}} = Cache.evict([target_size: 0] ++ where)
      assert File.read!(Path.join([link, "snapshots", @old, "b"])) == "old"
      assert {:ok, plan} = Cache.delete_revisions([@old, @new], [dry_run: true] ++ where)
      assert plan.expected_freed_size == 0
      assert {:ok, %{failures: [], freed_size: 0}} = Cache.delete_revisions([@old, @new], where)
      assert File.lstat(link) == {:error, :enoent}
      assert File.read!(Path.join([outside, "snapshots", @old, "b"])) == "old"
    end

    test "to folders of a repository: their files are not removed", context do
      where = [cache_dir: context.cache]

      for place <- ["blobs", "snapshots", "snapshots/#{@old}", "refs"] do
        repo = two(context.cache)
        outside = Path.join(context.dir, "outside")
        File.rename!(Path.join(repo, place), outside)
        File.ln_s!(outside, Path.join(repo, place))
        before = tree(outside)
        Cache.delete_revisions([@old], where)
        Cache.prune([older_than: 0] ++ where)
        Cache.evict([target_size: 0] ++ where)
        Cache.clear_cache(where)
        assert tree(outside) == before and before != %{}, place
        File.rm_rf!(outside)
        File.rm_rf!(context.cache)
      end
    end

    test "with absolute targets count like relative ones", context do
      real = Path.join(context.dir, "real")
      repo = two(real)
      shown = Path.join([repo, "snapshots", @new, "a"])
      File.rm!(shown)
      File.ln_s!(Path.join([repo, "blobs", git("same")]), shown)
      # The cache is also accessed by a different path.
      File.ln_s!(real, context.cache)
      where = [cache_dir: context.cache]
      assert {:ok, done} = Cache.prune([older_than: 0] ++ where)
      assert Enum.map(done.blobs, &Path.basename/1) == [git("old")]
      assert File.read!(shown) == "same"
      assert %{valid_files: 2, problems: []} = Cache.validate_integrity!(where)
    end

    @tag :root
    test "of another user are not followed by any write", context do
      {id, commit} = repo(context, %{"config.json" => "{}", "sub/x" => "1"})
      outside = Path.join(context.dir, "outside")
      folder = Path.join(context.cache, "models--" <> String.replace(id, "/", "--"))
      locks = Path.join([context.cache, ".locks", Path.basename(folder)])

      for place <- ["", "/blobs", "/snapshots", "/snapshots/#{commit}", "/snapshots/#{commit}/sub"] do
        plant(outside, folder <> place)
        assert {:error, %Error{kind: :io} = error} = Download.snapshot_download(opts(context, repo_id: id))
        assert Exception.message(error) =~ "is a symbolic link"
        assert File.ls!(outside) == []
        clear(context.cache)
      end

      plant(outside, locks)

      assert {:error, %Error{}} =
               Download.hf_hub_download(opts(context, repo_id: id, filename: "config.json"))

      assert File.ls!(outside) == []
      clear(context.cache)
      # A download succeeds without these.
      for place <- ["/refs", "/trees"], do: plant(outside, folder <> place)
      assert Download.snapshot_download!(opts(context, repo_id: id)) =~ commit
      assert File.ls!(outside) == []
      # Links of the same user are followed.
      clear(context.cache)
      File.mkdir_p!(context.cache)
      File.ln_s!(outside, folder)
      assert Download.snapshot_download!(opts(context, repo_id: id)) =~ commit
      assert "blobs" in File.ls!(outside)
    end

    # The cancelled download may still be writing its last piece.
    defp clear(cache), do: eventually(fn -> match?({:ok, _}, File.rm_rf(cache)) end)

    # Changes the owner of the link to a user without any permissions.
    defp plant(outside, link) do
      File.rm_rf!(outside)
      File.mkdir_p!(outside)
      File.mkdir_p!(Path.dirname(link))
      File.ln_s!(outside, link)
      {_, 0} = System.cmd("chown", ["-h", "65534:65534", link])
    end

    test "in place of a file are replaced, never written through", context do
      {id, commit} = repo(context, %{"config.json" => "{}"})
      folder = Path.join(context.cache, "models--" <> String.replace(id, "/", "--"))
      etag = git("{}")
      precious = Path.join(context.dir, "precious")

      for place <- [
            "#{folder}/refs/main",
            "#{folder}/blobs/#{etag}",
            "#{folder}/snapshots/#{commit}/config.json",
            "#{folder}/trees/#{commit}.json",
            "#{folder}/.no_exist/#{commit}/none",
            "#{context.cache}/.locks/#{Path.basename(folder)}/#{etag}.lock",
            "#{context.cache}/.locks/#{Path.basename(folder)}/#{commit}.lease",
            "#{context.cache}/CACHEDIR.TAG"
          ] do
        File.write!(precious, "precious")
        File.touch!(precious, 1_000_000_000)
        File.mkdir_p!(Path.dirname(place))
        File.ln_s!(precious, place)
        assert {:ok, path} = Download.snapshot_download(opts(context, repo_id: id, force_download: true))
        Download.hf_hub_download(opts(context, repo_id: id, filename: "none"))
        assert File.read!(Path.join(path, "config.json")) == "{}"
        assert {:ok, lease} = Cache.lease(id, cache_dir: context.cache)
        Cache.release(lease)
        assert File.read!(precious) == "precious", place
        assert File.stat!(precious, time: :posix).mtime == 1_000_000_000, place
        File.rm_rf!(context.cache)
      end
    end

    test "to files outside of the cache are not exported", context do
      repo = craft(context.cache, %{@new => %{"a" => "1"}}, %{"main" => @new})
      File.write!(Path.join(context.dir, "secret"), "secret")
      File.ln_s!(Path.join(context.dir, "secret"), Path.join([repo, "snapshots", @new, "b"]))
      archive = Path.join(context.dir, "x.tar")
      assert {:error, %Error{kind: :conflict} = error} = Cache.export(archive, cache_dir: context.cache)
      assert Exception.message(error) =~ "link out of the cache"
      refute File.exists?(archive)
    end

    test "to files outside of the cache are never copied", context do
      secret = Path.join(context.dir, "secret")
      File.write!(secret, "secret")
      plain = Path.join(context.dir, "plain")

      plant = fn
        :file, repo -> Path.join([repo, "snapshots", @new, "b"])
        :blob, repo -> Path.join([repo, "blobs", "opaque"])
        :listing, repo -> Path.join([repo, "trees", @new <> ".json"])
      end

      for planted <- [:file, :blob, :listing], kind <- [:link, :pipe] do
        repo = craft(context.cache, %{@new => %{"a" => "1"}}, %{"main" => @new})
        place = plant.(planted, repo)
        File.mkdir_p!(Path.dirname(place))
        if kind == :link, do: File.ln_s!(secret, place), else: {_output, 0} = System.cmd("mkfifo", [place])
        if planted == :blob, do: File.ln_s!("../../blobs/opaque", plant.(:file, repo))

        assert {:error, %Error{} = error} =
                 Cache.export(Path.join(context.dir, "x.tar"), cache_dir: context.cache)

        word = if kind == :link, do: "link out of the cache", else: ~r/not a regular file|no file/
        assert {planted, kind, Exception.message(error) =~ word} == {planted, kind, true}

        if planted != :listing do
          for method <- [:auto, :hard_link, :copy] do
            at = [cache_dir: context.cache, method: method]
            assert {:error, %Error{kind: :conflict} = error} = Cache.materialize("org/name", plain, at)
            assert Exception.message(error) =~ word
            refute File.exists?(plain)
          end
        end

        File.rm_rf!(context.cache)
      end
    end

    test "of the owner, to a repository on another disk, are followed by copies", context do
      repo = craft(context.cache, %{@new => %{"a" => "1"}}, %{"main" => @new})

      for folder <- [Path.join(repo, "blobs"), repo] do
        elsewhere = Path.join(context.dir, Path.basename(folder))
        File.rename!(folder, elsewhere)
        File.ln_s!(elsewhere, folder)
        plain = elsewhere <> "_plain"
        assert {:ok, %{files: 1}} = Cache.materialize("org/name", plain, cache_dir: context.cache)
        assert File.read!(Path.join(plain, "a")) == "1"
      end
    end

    test "to pipes do not block hashing, importing and unpacking", context do
      pipe = Path.join(context.dir, "pipe.tar")
      {_output, 0} = System.cmd("mkfifo", [pipe])
      assert {:error, %Error{kind: :io}} = Download.compute_sha256(pipe)
      assert {:error, %Error{}} = Cache.import(pipe, cache_dir: context.cache)
      assert {:error, %Error{}} = HfHub.Extract.extract(pipe, Path.join(context.dir, "out"))
    end
  end

  describe "the shared store of blobs" do
    # Blobs as Xet downloads of the Python client leave them: `%{hash => {content, names of blobs that link to it}}`.
    defp store(cache, contents) do
      File.mkdir_p!(Path.join(cache, "blobs"))
      File.write!(Path.join(cache, "blobs/.huggingface-shared-blobs"), "1\n")

      for {hash, {content, users}} <- contents do
        payload = Path.join([cache, "blobs", String.slice(hash, 0, 2), hash])
        File.mkdir_p!(Path.dirname(payload))
        File.write!(payload, content)
        File.write!(payload <> ".refs", Enum.map(users, &"#{&1}/blobs/#{git(content)}\n"))

        for user <- users do
          blob = Path.join([cache, user, "blobs", git(content)])
          File.rm(blob)
          File.ln_s!("../../blobs/#{String.slice(hash, 0, 2)}/#{hash}", blob)
        end

        payload
      end
    end

    test "keeps blobs with a link or with an unreadable list of links", context do
      craft(context.cache, %{@new => %{"a" => "shared", "b" => "x"}}, %{"main" => @new})
      hashes = for digit <- ~w(1 2 3 4 5), do: String.duplicate(digit, 64)
      [used, unused, lost, odd, planted] = hashes
      mine = "models--org--name"
      there = Path.join(context.dir, "elsewhere")

      paths =
        store(context.cache, %{
          used => {"shared", [mine]},
          unused => {"unused", []},
          lost => {"no manifest", []},
          odd => {"odd", []},
          planted => {"planted", []}
        })

      [used, unused, lost, odd, planted] = paths
      # Lines that are not the path of a blob count as no link.
      File.write!(used <> ".refs", "../../etc/passwd\n/etc/passwd\n\nmodels--org--gone/blobs/x\n", [:append])
      File.rm!(lost <> ".refs")
      File.rm!(odd <> ".refs")
      File.mkdir!(odd <> ".refs")
      # The folder of the last one was replaced by a link to a folder outside of the cache.
      File.rename!(Path.dirname(planted), there)
      File.ln_s!(there, Path.dirname(planted))

      assert Enum.map(Cache.scan!(cache_dir: context.cache).unreferenced_blobs, & &1.file_path) == [unused]
      assert {:ok, plan} = Cache.prune(older_than: 0, dry_run: true, cache_dir: context.cache)
      assert {plan.expected_freed_size, plan.shared_blobs} == {6, [unused]}
      assert {:ok, done} = Cache.prune(older_than: 0, cache_dir: context.cache)
      assert {done.freed_size, done.shared_blobs, done.failures} == {6, [unused], []}
      refute File.exists?(unused) or File.exists?(unused <> ".refs")
      for path <- [used, lost, odd, planted], do: assert(File.exists?(path))

      assert {:ok, %{freed_size: 7}} = Cache.delete_revisions([@new], cache_dir: context.cache)
      refute File.exists?(used)
      assert File.exists?(Path.join(there, Path.basename(planted)))
    end

    test "removes a blob with its last link, and counts it once", context do
      cache = context.cache
      craft(cache, %{@old => %{"a" => "shared"}}, %{"main" => @old})
      File.rename!(Path.join(cache, "models--org--name"), Path.join(cache, "models--org--other"))

      craft(cache, %{@old => %{"a" => "shared"}, @new => %{"a" => "shared", "b" => "mine"}}, %{"main" => @new})

      [payload] =
        store(cache, %{String.duplicate("9", 64) => {"shared", ["models--org--name", "models--org--other"]}})

      where = [cache_dir: cache]
      assert Cache.scan!(where).size_on_disk == 10
      assert Enum.map(Cache.scan!(where).repos, & &1.size_on_disk) == [10, 6]
      assert {:ok, %{freed_size: 0, shared_blobs: []}} = Cache.delete_revisions([@old], where)
      # Two repositories had that commit; it was removed from the first. One revision of it remains.
      assert {:ok, %{freed_size: 4, repos: [_]}} = Cache.delete_revisions([@new], where)
      assert File.read!(payload) == "shared"
      assert File.read!(payload <> ".refs") == "models--org--other/blobs/#{git("shared")}\n"
      assert :ok = Cache.evict_lru([target_size: 6] ++ where)
      assert File.exists?(payload)
      assert {:ok, %{freed_size: 6, shared_blobs: [^payload]}} = Cache.evict([target_size: 5] ++ where)
    end
  end

  test "pipes and devices are not read", context do
    repo = craft(context.cache, %{@new => %{"a" => "1"}}, %{"main" => @new})
    where = [cache_dir: context.cache]
    {_, 0} = System.cmd("mkfifo", [Path.join([repo, "blobs", git("pipe")])])
    File.ln_s!("../../blobs/" <> git("pipe"), Path.join([repo, "snapshots", @new, "pipe"]))
    File.ln_s!("/dev/zero", Path.join([repo, "snapshots", @new, "zero"]))
    File.ln_s!("/dev/zero", Path.join([repo, "blobs", git("zero")]))
    File.ln_s!("../../blobs/" <> git("zero"), Path.join([repo, "snapshots", @new, "zeros"]))
    found = Cache.validate_integrity!(where)
    assert found.valid_files == 1 and found.missing_files == 2
    assert {:error, %Error{}} = Cache.export(Path.join(context.dir, "x.tar"), where)
    {_, 0} = System.cmd("mkfifo", [Path.join([repo, "refs", "pipe"])])
    assert [%{reason: :unreadable}] = Cache.scan!(where).warnings
    assert {:error, %Error{kind: :not_cached}} = Cache.lease("org/name", [revision: "pipe"] ++ where)
  end

  test "invalid names and times are accepted", context do
    repo = craft(context.cache, %{@new => %{"a" => "1"}}, %{"main" => @new})
    where = [cache_dir: context.cache]
    odd = Path.join([repo, "snapshots", @new]) <> "/\xff\xfe"
    File.ln_s!("../../blobs/" <> git("1"), odd)
    File.touch!(Path.join([repo, "blobs", git("1")]), {{1950, 1, 1}, {0, 0, 0}})
    assert [%{revisions: [%{files: files}]} = found] = Cache.scan!(where).repos
    assert odd in for(file <- files, do: file.file_path)
    assert found.last_modified.year == 1950 and is_binary(inspect(found))
    assert %{valid_files: 2} = Cache.validate_integrity!(where)
    File.mkdir_p!(Path.join(context.cache, "models--evil\e[2J--\u202Ename/snapshots"))
    assert length(Cache.scan!(where).repos) == 2
    assert {:ok, %{failures: []}} = Cache.delete_revisions([@new], where)
  end

  test "a blob may have the name of a partial file", context do
    repo = craft(context.cache, %{@new => %{"a" => "1"}}, %{"main" => @new})

    for name <- ["odd.link", "odd.shared", "odd.0123abcd.tmp", "odd.0123abcd.incomplete"] do
      File.write!(Path.join([repo, "blobs", name]), "odd")
      File.ln_s!("../../blobs/" <> name, Path.join([repo, "snapshots", @new, name]))
      File.write!(Path.join([repo, "blobs", "left" <> name]), "left")
    end

    assert {:ok, %{failures: []} = done} = Cache.prune(older_than: 0, cache_dir: context.cache)
    assert length(done.partials ++ done.temporaries) == 4
    left = Path.wildcard(repo <> "/blobs/*odd*")
    assert length(left) == 4 and Enum.all?(left, &(File.read!(&1) == "odd"))
  end

  test "names of 255 bytes are supported", context do
    long = String.duplicate("ü", 127) <> "n"
    repo = craft(context.cache, %{@new => %{long => "1"}}, %{"main" => @new})
    where = [cache_dir: context.cache]
    # An absolute target, so that a move must rewrite it.
    link = Path.join([repo, "snapshots", @new, long])
    File.rm!(link)
    File.ln_s!(Path.join([repo, "blobs", git("1")]), link)
    assert {:ok, %{files: 1}} = Cache.materialize("org/name", Path.join(context.dir, "plain"), where)
    assert File.read!(Path.join([context.dir, "plain", long])) == "1"
    moved = Path.join(context.dir, "moved")
    assert {:ok, ^moved} = Cache.move(moved, where)
    assert File.read!(Cache.cache_path!(repo_id: "org/name", filename: long, cache_dir: moved)) == "1"
    assert File.read_link!(String.replace_prefix(link, context.cache, moved)) == "../../blobs/" <> git("1")
  end

  test "records the last use without access times of the file system", context do
    repo = craft(context.cache, %{@new => %{"a" => "1"}}, %{"main" => @new})
    where = [cache_dir: context.cache]
    long_ago = {{2020, 1, 1}, {0, 0, 0}}

    age = fn ->
      for path <- Path.wildcard(repo <> "/**"),
          do: File.write_stat!(path, %{File.stat!(path) | atime: long_ago, mtime: long_ago})

      [%{revisions: [revision]}] = Cache.scan!(where).repos
      assert revision.last_used.year == 2020
    end

    used? = fn ->
      [%{revisions: [revision]}] = Cache.scan!(where).repos
      DateTime.diff(DateTime.utc_now(), revision.last_used) < 3600
    end

    age.()

    Download.hf_hub_download!(
      [repo_id: "org/name", filename: "a", dry_run: true, local_files_only: true] ++ where
    )

    refute used?.()
    Download.hf_hub_download!([repo_id: "org/name", filename: "a", local_files_only: true] ++ where)
    assert used?.()
    # An eviction uses it too.
    assert {:ok, %{snapshots: []}} = Cache.evict([max_age: 86_400] ++ where)
    age.()
    assert {:ok, %{snapshots: [_]}} = Cache.evict([max_age: 86_400] ++ where)
  end

  test "evicts from a cache with missing blobs", context do
    repo = craft(context.cache, %{@new => %{"a" => large(10_000)}}, %{"main" => @new, "gone" => @old})
    where = [cache_dir: context.cache]
    assert [%{reason: :dangling_ref}] = Cache.scan!(where).warnings
    assert {:ok, %{freed_size: 0, snapshots: []}} = Cache.evict([target_size: 10_000] ++ where)
    assert {:ok, %{freed_size: 10_000}} = Cache.evict([target_size: 9_999] ++ where)
    refute File.exists?(repo)
  end

  test "does not return a snapshot with missing blobs offline", context do
    repo = craft(context.cache, %{@new => %{"a" => "1", "b" => "2"}}, %{"main" => @new})
    offline = [repo_id: "org/name", cache_dir: context.cache, local_files_only: true]
    assert Download.snapshot_download!(offline) == Path.join([repo, "snapshots", @new])
    File.rm!(Path.join([repo, "blobs", git("2")]))
    assert {:error, %Error{kind: :not_cached} = error} = Download.snapshot_download(offline)
    assert Exception.message(error) =~ "lacks 1 file (b)"
    assert Download.snapshot_download!([allow_patterns: ["a"]] ++ offline) =~ @new
  end

  test "does not prune a revision that another client may be downloading", context do
    repo = two(context.cache)
    where = [cache_dir: context.cache]
    assert {:ok, %{snapshots: []}} = Cache.prune(where)
    for path <- Path.wildcard(repo <> "/snapshots/#{@old}"), do: File.touch!(path, {{2020, 1, 1}, {0, 0, 0}})
    # The folder is old, but a file in it is not.
    assert {:ok, %{snapshots: []}} = Cache.prune(where)
    assert {:ok, %{snapshots: [_]}} = Cache.prune([older_than: 0] ++ where)
  end
end
