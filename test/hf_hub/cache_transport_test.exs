defmodule HfHub.CacheTransportTest do
  # Moves to another disk, with kills, and imports of forged archives.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Error, Vm}

  @commit String.duplicate("c", 40)
  @manifest ~c".locks/hf-hub-export.json"

  defp craft(cache, name, files) do
    repo = Path.join(cache, "models--org--" <> name)

    for {file, content} <- files do
      blob = Path.join([repo, "blobs", sha256(content)])
      link = Path.join([repo, "snapshots", @commit, file])
      for path <- [blob, link], do: File.mkdir_p!(Path.dirname(path))
      File.write!(blob, content)
      File.ln_s!("../../blobs/" <> sha256(content), link)
    end

    File.mkdir_p!(Path.join(repo, "refs"))
    File.write!(Path.join(repo, "refs/main"), @commit)
    repo
  end

  # A folder on another file system, or nil if there is none.
  defp elsewhere(context) do
    device = fn path -> with {:ok, stat} <- File.stat(path), do: stat.major_device end

    if File.dir?("/dev/shm") and device.("/dev/shm") != device.(context.dir) do
      folder = "/dev/shm/hf_hub_test_#{System.pid()}_#{System.unique_integer([:positive])}"
      on_exit(fn -> File.rm_rf!(folder) end)
      folder
    end
  end

  describe "a move to another disk" do
    test "keeps blobs, links, times and pins", context do
      if there = elsewhere(context) do
        repo = craft(context.cache, "a", %{"x" => "one", "y" => "two"})
        File.touch!(Path.join([repo, "blobs", sha256("one")]), 1_500_000_000)
        File.ln_s!(Path.join([repo, "blobs", sha256("one")]), Path.join([repo, "snapshots", @commit, "full"]))
        Cache.pin!("org/a", cache_dir: context.cache)
        before = Cache.scan!(cache_dir: context.cache)
        assert {:ok, ^there} = Cache.move(there, cache_dir: context.cache)
        assert [%{revisions: [revision]} = moved] = Cache.scan!(cache_dir: there).repos
        assert revision.pinned? and length(revision.files) == 3

        assert {moved.size_on_disk, moved.last_modified} ==
                 {hd(before.repos).size_on_disk, hd(before.repos).last_modified}

        assert File.read_link!(Path.join(revision.snapshot_path, "full")) == "../../blobs/" <> sha256("one")
        assert %{valid_files: 3, problems: []} = Cache.validate_integrity!(cache_dir: there)
        refute File.exists?(repo)
      end
    end

    test "fails on special files, and keeps the cache", context do
      if there = elsewhere(context) do
        repo = craft(context.cache, "a", %{"x" => "one"})
        pipe = Path.join([repo, "blobs", "pipe"])
        {_output, 0} = System.cmd("mkfifo", [pipe])
        assert {:error, %Error{} = error} = Cache.move(there, cache_dir: context.cache)
        assert Exception.message(error) =~ "not a regular file"
        assert File.exists?(repo) and not File.exists?(Path.join(there, Path.basename(repo)))
        File.rm!(pipe)
        assert {:ok, ^there} = Cache.move(there, cache_dir: context.cache)
      end
    end

    test "that is killed leaves each repository complete in one place, and can be continued", context do
      if there = elsewhere(context) do
        for name <- ~w(a b c), do: craft(context.cache, name, %{"x" => large(20_000_000), "y" => name})
        script = "HfHub.Cache.move(#{inspect(there)}, cache_dir: #{inspect(context.cache)})"
        port = Vm.open(Vm.script(context, script), [:exit_status])
        incoming = Path.join(there, ".locks/.hf_hub/incoming/*")
        eventually(fn -> Path.wildcard(incoming, match_dot: true) != [] or not alive?(port) end, 2000)
        Vm.kill(port)
        assert_receive {^port, {:exit_status, _status}}, 10_000
        assert {:ok, ^there} = Cache.move(there, cache_dir: context.cache)
        assert %{valid_files: 6, problems: []} = Cache.validate_integrity!(cache_dir: there)
        assert Cache.cache_stats!(cache_dir: context.cache).repos == []
        assert Path.wildcard(incoming, match_dot: true) == []
      end
    end

    test "distinguishes a half-moved repository from a second one", context do
      repo = craft(context.cache, "a", %{"x" => "one"})
      there = Path.join(context.dir, "there")
      File.mkdir_p!(there)
      # Killed after the copy was renamed, before the original was removed.
      {_, 0} = System.cmd("cp", ["-a", repo, there])
      assert {:ok, ^there} = Cache.move(there, cache_dir: context.cache)
      refute File.exists?(repo)
      repo = craft(context.cache, "a", %{"x" => "one", "z" => "another"})
      assert {:error, %Error{kind: :conflict}} = Cache.move(there, cache_dir: context.cache)
      assert File.read!(Path.join([repo, "snapshots", @commit, "z"])) == "another"

      assert {:error, %Error{kind: :conflict}} =
               Cache.move(Path.join(context.cache, "sub"), cache_dir: context.cache)

      File.ln_s!(context.cache, Path.join(context.dir, "same"))

      assert {:error, %Error{kind: :conflict}} =
               Cache.move(Path.join(context.dir, "same"), cache_dir: context.cache)
    end

    test "fails while a repository is in use", context do
      craft(context.cache, "a", %{"x" => "one"})
      lease = Cache.lease!("org/a", cache_dir: context.cache)
      there = Path.join(context.dir, "there")
      assert {:error, %Error{kind: :lock_timeout}} = Cache.move(there, cache_dir: context.cache)
      assert File.read!(Path.join(lease.path, "x")) == "one"
      Cache.release(lease)
      assert {:ok, ^there} = Cache.move(there, cache_dir: context.cache)
    end

    defp alive?(port), do: Port.info(port) != nil
  end

  describe "an archive" do
    setup context do
      craft(context.cache, "a", %{"x" => "one", "y" => "two"})
      good = Path.join(context.dir, "good.tar")
      {:ok, _archive} = Cache.export(good, cache_dir: context.cache)
      {:ok, entries} = :erl_tar.extract(good, [:memory])
      # `:memory` omits links; the manifest lists all of them.
      [{@manifest, manifest} | contents] = entries

      {:ok,
       manifest: manifest, contents: contents, there: [cache_dir: Path.join(context.dir, "there")], good: good}
    end

    defp pack(context, entries) do
      archive = Path.join(context.dir, "bad#{System.unique_integer([:positive])}.tar")
      :ok = :erl_tar.create(archive, entries)
      archive
    end

    test "is rejected if a name or a hash is invalid", context do
      %{manifest: manifest, contents: contents, there: there} = context
      {[{name, content}], rest} = Enum.split_with(contents, fn {_name, content} -> content == "one" end)
      lie = fn from, to -> [{@manifest, String.replace(manifest, from, to)} | contents] end

      bad = %{
        "a file outside" => lie.(~s("x"), ~s("../../../x")),
        "a file by its full name" => lie.(~s("x"), ~s("/tmp/x")),
        "a file of another system" => lie.(~s("x"), ~s("C:\\\\x")),
        "a blob outside" => lie.(sha256("one"), "../" <> sha256("one")),
        "a repository outside" => lie.("org/a", "../a"),
        "a commit outside" => lie.(@commit, "../../" <> @commit),
        "a branch outside" => lie.(~s("main"), ~s("../../main")),
        "a branch of nothing" => lie.(~s("main": "#{@commit}"), ~s("main": "#{String.duplicate("d", 40)}")),
        "a file both file and folder" => lie.(~s("y"), ~s("x/y")),
        "another content" => [{@manifest, manifest}, {name, String.upcase(content)} | rest],
        "a longer content" => [{@manifest, manifest}, {name, content <> "!"} | rest],
        "a content less" => [{@manifest, manifest} | rest],
        "no manifest" => contents,
        "the manifest last" => contents ++ [{@manifest, manifest}],
        "another format" => lie.(~s("format_version": 1), ~s("format_version": 2)),
        "no JSON" => [{@manifest, "{"} | contents],
        "nothing" => []
      }

      for {what, entries} <- bad do
        result = Cache.import(pack(context, entries), there)
        assert {:error, %Error{kind: kind}} = result, "#{what}: #{inspect(result)}"
        assert kind in [:invalid_archive, :io], "#{what}: #{kind}"
        # Existing files are kept, and only valid files were added.
        visible = for path <- tree(context.dir), not hidden?(path), do: elem(path, 0)
        assert Enum.all?(visible, &right?/1), "#{what}: #{inspect(visible)}"
        File.rm_rf!(there[:cache_dir])
      end
    end

    defp hidden?({name, _entry}),
      do: name =~ ~r/\A(cache\/|good.tar|bad\d+.tar|there\/\.locks|there\/CACHEDIR.TAG)/

    defp right?(name),
      do:
        name =~
          ~r/\Athere\/models--org--a\/(blobs\/#{sha256("one")}|blobs\/#{sha256("two")}|snapshots\/#{@commit}\/x)\z/

    test "that is truncated leaves nothing behind", context do
      bytes = File.read!(context.good)
      archive = Path.join(context.dir, "cut.tar")

      for length <- [0, 100, 700, div(byte_size(bytes), 2), byte_size(bytes) - 11_000] do
        File.write!(archive, binary_part(bytes, 0, max(length, 0)))
        assert {:error, %Error{}} = Cache.import(archive, context.there)
        assert Cache.cache_stats!(context.there).repos == []
        assert Path.wildcard(context.there[:cache_dir] <> "/.locks/.hf_hub/incoming/*") == []
      end
    end

    test "with links in place of blobs imports none of them", context do
      folder = Path.join(context.dir, "unpacked")
      File.mkdir_p!(folder)
      {_, 0} = System.cmd("tar", ["-xf", context.good, "-C", folder])
      blob = Path.join([folder, "models--org--a/blobs", sha256("one")])
      File.rm!(blob)
      File.write!(Path.join(context.dir, "secret"), "one")
      File.ln_s!(Path.join(context.dir, "secret"), blob)
      archive = Path.join(context.dir, "links.tar")
      {_, 0} = System.cmd("tar", ["-cf", archive, "-C", folder, to_string(@manifest), "models--org--a"])
      assert {:error, %Error{kind: :invalid_archive}} = Cache.import(archive, context.there)
      assert Cache.cache_stats!(context.there).repos == []
    end

    test "is not unpacked through a link in the cache", context do
      outside = Path.join(context.dir, "outside")

      for place <- ["", "/blobs", "/snapshots", "/snapshots/#{@commit}", "/refs"] do
        link = context.there[:cache_dir] <> "/models--org--a" <> place
        File.mkdir_p!(outside)
        File.mkdir_p!(Path.dirname(link))
        File.ln_s!(outside, link)
        assert {:error, %Error{}} = Cache.import(context.good, context.there)
        assert File.ls!(outside) == [], place
        File.rm_rf!(context.there[:cache_dir])
      end
    end

    test "is imported without symlinks, and can be unpacked by tar", context do
      {_, 0} = System.cmd("mkdir", ["-p", Path.join(context.dir, "tar")])
      {_, 0} = System.cmd("tar", ["-xf", context.good, "-C", Path.join(context.dir, "tar")])

      assert %{valid_files: 2, problems: []} =
               Cache.validate_integrity!(cache_dir: Path.join(context.dir, "tar"))

      long = String.duplicate("n", 255)
      craft(context.cache, "long", %{long => "three"})
      {:ok, _archive} = Cache.export(context.good, cache_dir: context.cache)

      script =
        "{:ok, _} = HfHub.Cache.import(#{inspect(context.good)}, cache_dir: #{inspect(context.there[:cache_dir])})"

      assert {_, 0} = Vm.run(Vm.script(context, script), [{"HF_HUB_DISABLE_SYMLINKS", "1"}])
      path = Cache.cache_path!([repo_id: "org/long", filename: long] ++ context.there)
      assert File.read!(path) == "three" and File.lstat!(path).type == :regular
    end
  end

  test "materialize with :hard_link or :reflink fails if the file system does not support it", context do
    craft(context.cache, "a", %{"x" => "one"})
    plain = Path.join(context.dir, "plain")

    assert {:ok, %{hard_linked: 1}} =
             Cache.materialize("org/a", plain, method: :hard_link, cache_dir: context.cache)

    assert File.stat!(Path.join(plain, "x")).links == 2

    if there = elsewhere(context) do
      assert {:error, %Error{kind: :io} = error} =
               Cache.materialize("org/a", there, method: :hard_link, cache_dir: context.cache)

      assert Exception.message(error) =~ "method: :auto"
      assert {:ok, %{copied: 1}} = Cache.materialize("org/a", there, cache_dir: context.cache)
      assert File.read!(Path.join(there, "x")) == "one"
    end
  end
end
