defmodule HfHub.PrecompiledTest do
  # Where the native library of a release comes from. The whole installation is tested in build_test.exs.
  use HfHub.Case, async: false

  alias HfHub.Precompiled

  @version "9.9.9"

  setup context do
    root = Path.join(context.dir, "package")
    served = Path.join(context.dir, "served")
    for folder <- [served, Path.join(root, "native")], do: File.mkdir_p!(folder)
    put_env("HF_HUB_NIF_CACHE", Path.join(context.dir, "native_cache"))
    for name <- ~w(HF_HUB_BUILD HF_HUB_NIF_MIRROR HF_HUB_NIF_TARGET), do: put_env(name, nil)
    shell = Mix.shell()
    Mix.shell(Mix.Shell.Process)
    on_exit(fn -> Mix.shell(shell) end)
    {:ok, root: root, served: served, url: static_files(served)}
  end

  defp put_env(name, value) do
    before = System.get_env(name)
    set = fn value -> if value, do: System.put_env(name, value), else: System.delete_env(name) end
    set.(value)
    on_exit(fn -> set.(before) end)
  end

  # A release with one archive, of which `files` are in it.
  defp release(context, files \\ nil) do
    name = Precompiled.name(@version, Precompiled.target())
    path = Path.join(context.served, name)
    library = String.replace_suffix(name, ".tar.gz", ".so")
    files = files || [{to_charlist(library), "the library"}]
    :ok = :erl_tar.create(path, files, [:compressed])
    checksums(context, "# #{context.url}\n#{sha256(File.read!(path))}  #{name}\n")
    path
  end

  defp checksums(context, text), do: File.write!(Path.join(context.root, "native/precompiled.sha256"), text)

  defp fetch(context), do: Precompiled.fetch(context.root, @version)

  test "downloads an archive once, and again if the cached one is damaged", context do
    archive = release(context)
    assert fetch(context) == {:ok, "the library"}
    assert_received {:mix_shell, :info, ["Downloading the native part of hf_hub from " <> _url]}
    cached = Path.join([context.dir, "native_cache", Path.basename(archive)])
    assert File.read!(cached) == File.read!(archive)

    File.write!(cached, "damaged")
    assert fetch(context) == {:ok, "the library"}
    File.rm!(archive)
    assert fetch(context) == {:ok, "the library"}

    File.rm!(cached)
    assert {:error, message} = fetch(context)
    assert message == "#{context.url}/#{Path.basename(archive)} cannot be downloaded: status 404"
  end

  test "refuses an archive that was changed, and keeps nothing", context do
    archive = release(context)
    File.write!(archive, File.read!(archive) <> "x")
    error = assert_raise(Mix.Error, fn -> fetch(context) end)
    assert error.message =~ "SHA-256 of #{context.url}/"
    assert error.message =~ "the archive was changed"
    assert File.ls(Path.join(context.dir, "native_cache")) == {:error, :enoent}
  end

  test "takes only the library from an archive", context do
    release(context, [{~c"../../evil.so", "x"}, {~c"README", "x"}])
    assert {:error, message} = fetch(context)
    assert message =~ "has no library in it"
    assert Path.wildcard(context.dir <> "/**/evil.so") == []
  end

  test "an archive that was cut is an error", context do
    archive = release(context)
    cut = archive |> File.read!() |> binary_part(0, 20)
    File.write!(archive, cut)
    checksums(context, "#{sha256(cut)}  #{Path.basename(archive)}\n")
    put_env("HF_HUB_NIF_MIRROR", context.url <> "/")
    assert {:error, message} = fetch(context)
    assert message =~ "has no library in it"
  end

  test "returns why there is no library", context do
    assert fetch(context) == :none
    release(context)
    put_env("HF_HUB_NIF_TARGET", "riscv64gc-unknown-linux-gnu")

    assert fetch(context) ==
             {:error, "release 9.9.9 of hf_hub has no native library for riscv64gc-unknown-linux-gnu"}

    put_env("HF_HUB_NIF_TARGET", nil)
    put_env("HF_HUB_NIF_MIRROR", "http://user:secret@127.0.0.1:1")
    assert {:error, message} = fetch(context)

    assert message =~
             ~r"^http://127.0.0.1:1/libhf_hub_nif-v9.9.9-nif-2.15-.*: no connection \(:econnrefused\)$"

    put_env("HF_HUB_BUILD", "1")
    assert fetch(context) == :none
  end

  test "settings choose a build or a mirror", context do
    archive = release(context)
    checksums(context, "#{sha256(File.read!(archive))}  #{Path.basename(archive)}\n")
    assert {:error, "HF_HUB_NIF_MIRROR does not say where " <> _name} = fetch(context)
    on_exit(fn -> Application.delete_env(:hf_hub, HfHub.Native) end)
    Application.put_env(:hf_hub, HfHub.Native, mirror: context.url)
    assert fetch(context) == {:ok, "the library"}
    Application.put_env(:hf_hub, HfHub.Native, build: true)
    assert fetch(context) == :none
  end

  test "knows the targets of machines" do
    put_env("HF_HUB_NIF_TARGET", nil)

    for {architecture, target} <- [
          {"x86_64-pc-linux-gnu", "x86_64-unknown-linux-gnu"},
          {"amd64-pc-windows-msvc", "x86_64-pc-windows-msvc"},
          {"ARM64-pc-windows-msvc", "aarch64-pc-windows-msvc"},
          {"x86_64-alpine-linux-musl", "x86_64-unknown-linux-musl"},
          {"aarch64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"},
          {"aarch64-apple-darwin23.4.0", "aarch64-apple-darwin"},
          {"x86_64-apple-darwin22.1.0", "x86_64-apple-darwin"},
          {"amd64-portbld-freebsd14.0", "amd64-portbld-freebsd14.0"}
        ] do
      assert Precompiled.target(architecture) == target
    end
  end
end
