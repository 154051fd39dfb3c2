defmodule HfHub.ReleaseTest do
  use HfHub.Case, async: true

  alias HfHub.{Download, Error, Lock, Release, Vm}

  setup context do
    {id, commit} =
      repo(context, %{"config.json" => "{}", "model.safetensors" => "weights", "extra.bin" => "x"})

    lock = Path.join(context.dir, "hf_hub.lock")
    Lock.pin!(id, lock: lock, endpoint: context.endpoint, ignore_patterns: ["extra.bin", ".git*"])
    {:ok, id: id, commit: commit, lock: lock, bundle: Path.join(context.dir, "bundle")}
  end

  defp bundle(context, more \\ []),
    do: Release.write(context.bundle, opts(context, [lock: context.lock] ++ more))

  defp hub(context), do: Path.join(context.bundle, "hub")

  # Calls that would need a network find none.
  defp offline(context),
    do: [
      repo_id: context.id,
      cache_dir: hub(context),
      local_files_only: true,
      endpoint: "http://127.0.0.1:1"
    ]

  test "a folder has the pinned files as regular files, and is used without a network", context do
    assert {:ok, [snapshot]} = bundle(context)
    assert snapshot.commit == context.commit
    assert for({_path, {:link, _target}} = link <- tree(context.bundle), do: link) == []
    assert {:ok, path} = Download.hf_hub_download(offline(context) ++ [filename: "model.safetensors"])
    assert File.read!(path) == "weights"
    assert {:ok, folder} = Download.snapshot_download(offline(context))
    assert folder == snapshot.path
    assert Enum.sort(File.ls!(folder)) == ["config.json", "model.safetensors"]
    lock = Path.join(context.bundle, "hf_hub.lock")

    assert {:ok, [%{path: ^folder, downloaded: []}]} =
             Lock.get(lock: lock, cache_dir: hub(context), local_files_only: true)

    assert %{warnings: []} = HfHub.Cache.scan!(cache_dir: hub(context))
  end

  test "a folder is replaced by the next call, and another folder is left alone", context do
    assert {:ok, _snapshots} = bundle(context)
    stale = Path.join(context.bundle, "hub/stale")
    File.write!(stale, "")
    assert {:ok, _snapshots} = bundle(context, local_files_only: true)
    refute File.exists?(stale)

    other = %{context | bundle: folder(context, %{"mine.txt" => ""})}
    assert {:error, %Error{kind: :io, message: message}} = bundle(other)
    assert message =~ "is not empty"
    assert File.ls!(other.bundle) == ["mine.txt"]
  end

  test "a project, and a folder with the cache to copy from, are left alone", context do
    assert {:ok, _snapshots} = bundle(context)
    File.write!(Path.join(context.bundle, "mix.exs"), "")
    assert {:error, %Error{message: message}} = bundle(context)
    assert message =~ "is not empty"

    File.rm!(Path.join(context.bundle, "mix.exs"))
    assert {:error, %Error{message: message}} = bundle(context, cache_dir: hub(context))
    assert message =~ "contains the lock file or the cache to copy from"

    assert {:ok, _snapshots} =
             Lock.verify(lock: Path.join(context.bundle, "hf_hub.lock"), cache_dir: hub(context))
  end

  test "a file that is not in the cache is an error without a network, and nothing is written", context do
    assert {:error, %Error{kind: :not_cached}} = bundle(context, local_files_only: true)
    refute File.exists?(context.bundle)
  end

  test "the step of a release writes to the application's priv folder, or to a given one", context do
    release = struct!(Mix.Release, path: context.dir, applications: %{consumer: [vsn: ~c"1.2.3"]})
    opts = opts(context, lock: context.lock)
    ExUnit.CaptureIO.capture_io(fn -> assert Release.bundle(release, [app: :consumer] ++ opts) == release end)
    assert File.exists?(Path.join(context.dir, "lib/consumer-1.2.3/priv/hf_hub/hf_hub.lock"))

    file =
      "models/hub/models--#{String.replace(context.id, "/", "--")}/snapshots/#{context.commit}/config.json"

    ExUnit.CaptureIO.capture_io(fn ->
      # The step `:tar` packs what is below `lib`, and these files.
      assert %{overlays: overlays} = Release.bundle(%{release | overlays: ["x"]}, [folder: "models"] ++ opts)
      assert "x" in overlays and "models/hf_hub.lock" in overlays and file in overlays
      for path <- overlays -- ["x"], do: assert(File.regular?(Path.join(context.dir, path)))
    end)

    for outside <- ["../models", "."] do
      assert_raise ArgumentError, ~r/below the root of the release/, fn ->
        Release.bundle(release, [folder: outside] ++ opts)
      end
    end

    assert_raise ArgumentError, ~r/no application :other/, fn ->
      Release.bundle(release, [app: :other] ++ opts)
    end
  end

  @tag :root
  test "a call that was interrupted is repeated", context do
    id = context.id
    large = Path.join(context.dir, "large.lock")
    {other, _commit} = repo(context, %{"model.safetensors" => large(400_000)})
    Lock.pin!(other, lock: large, endpoint: context.endpoint)
    File.mkdir_p!(context.bundle)
    mount = fn how -> {_, 0} = System.cmd("mount", how ++ [context.bundle], stderr_to_stdout: true) end
    mount.(["-t", "tmpfs", "-o", "size=200k", "tmpfs"])
    on_exit(fn -> System.cmd("umount", ["-l", context.bundle], stderr_to_stdout: true) end)
    assert {:error, %Error{kind: :io, message: message}} = bundle(%{context | lock: large})
    assert message =~ "no space left"
    mount.(["-o", "remount,size=2m"])
    assert {:ok, [%{repo_id: ^other}]} = bundle(%{context | lock: large})
    assert {:ok, [%{repo_id: ^id}]} = bundle(context)
  end

  @tag :root
  test "a folder that cannot be written to is used", context do
    assert {:ok, _snapshots} = bundle(context)
    opts = offline(context)

    script =
      Vm.script(context, """
      opts = #{inspect(opts)}
      {:error, :erofs} = File.write(Path.join(opts[:cache_dir], "x"), "")
      {:ok, path} = HfHub.Download.hf_hub_download(opts ++ [filename: "config.json"])
      {:ok, folder} = HfHub.Download.snapshot_download(opts)
      {:ok, [model]} = HfHub.Lock.get(lock: Path.join(opts[:cache_dir], "../hf_hub.lock"), cache_dir: opts[:cache_dir])
      IO.puts("read " <> File.read!(path) <> Path.basename(folder) <> Path.basename(model.path))
      """)

    bundle = context.bundle
    mount = "mount --bind #{bundle} #{bundle} && mount -o remount,ro,bind #{bundle} && exec \"$0\" \"$@\""
    assert {output, 0} = Vm.run(Vm.below(script, ["unshare", "--mount", "sh", "-c", mount]))
    assert output =~ "read {}" <> context.commit <> context.commit
  end

  @tag :python
  test "a folder is the HF_HOME of the Python client, offline", context do
    assert {:ok, _snapshots} = bundle(context)

    code = """
    from pathlib import Path
    folder = snapshot_download("#{context.id}")
    path = hf_hub_download("#{context.id}", "model.safetensors")
    print(Path(path).read_text(), folder)
    """

    env = [{"HF_HUB_OFFLINE", "1"}, {"HF_HOME", context.bundle}]
    output = HfHub.Python.run!(code, "http://127.0.0.1:1", hub(context), env)

    assert output ==
             "weights #{Path.join(hub(context), "models--#{String.replace(context.id, "/", "--")}/snapshots/#{context.commit}")}"
  end
end
