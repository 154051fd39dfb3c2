defmodule HfHub.BuildTest do
  # The library as its users get it: as a dependency, in a script, in a release, without cargo.
  use HfHub.Case, async: false

  @moduletag :build
  @moduletag timeout: 600_000

  @root Path.expand("..", __DIR__)

  setup context do
    content = large(50_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})

    call =
      "HfHub.Download.hf_hub_download!(repo_id: \\\"#{id}\\\", filename: \\\"model.safetensors\\\", " <>
        "endpoint: \\\"#{context.endpoint}\\\", cache_dir: \\\"#{context.cache}\\\")"

    {:ok, call: String.replace(call, "\\\"", "\""), content: content}
  end

  defp project(context, dep) do
    folder = Path.join(context.dir, "consumer")
    File.mkdir_p!(Path.join(folder, "lib"))

    File.write!(Path.join(folder, "mix.exs"), """
    defmodule Consumer.MixProject do
      use Mix.Project
      def project, do: [app: :consumer, version: "1.0.0", deps: [#{dep}]]
      def application, do: [extra_applications: [:logger]]
    end
    """)

    File.write!(
      Path.join(folder, "lib/consumer.ex"),
      "defmodule Consumer do\n  def run, do: #{context.call}\nend\n"
    )

    folder
  end

  # One target folder for all, so that only what differs is compiled.
  defp mix(folder, args, env) do
    env =
      [
        {"MIX_ENV", "prod"},
        {"MIX_BUILD_PATH", nil},
        {"HF_HUB_NIF_PATH", nil},
        {"HF_HUB_NIF_SHA256", nil},
        {"CARGO_TARGET_DIR", System.get_env("CARGO_TARGET_DIR") || Path.join(@root, "target")},
        {"PATH", "#{:code.root_dir()}/bin:#{System.get_env("PATH")}"}
      ] ++ env

    System.cmd("mix", args, cd: folder, env: env, stderr_to_stdout: true)
  end

  defp mix!(folder, args, env \\ []) do
    assert {output, 0} = mix(folder, args, env)
    output
  end

  test "as a path dependency, quiet once it is built", context do
    folder = project(context, ~s({:hf_hub, path: "#{@root}"}))
    assert mix!(folder, ["compile"]) =~ "Compiling the native part of hf_hub"
    assert mix!(folder, ["compile"]) == ""
    mix!(folder, ["run", "-e", "Consumer.run()"])

    assert Path.wildcard(folder <> "/_build/prod/lib/hf_hub/priv/native/*") |> Enum.map(&Path.basename/1) == [
             "hf_hub_nif.so"
           ]

    refute File.exists?(Path.join(@root, "priv"))
  end

  test "as a git dependency", context do
    clone = Path.join(context.dir, "clone")
    {_, 0} = System.cmd("git", ["clone", "--quiet", "--no-hardlinks", @root, clone], stderr_to_stdout: true)
    # What is not committed yet counts too.
    {changed, 0} = System.cmd("git", ~w(ls-files --modified --others --exclude-standard), cd: @root)

    for name <- String.split(changed, "\n", trim: true), File.regular?(Path.join(@root, name)) do
      File.mkdir_p!(Path.dirname(Path.join(clone, name)))
      File.cp!(Path.join(@root, name), Path.join(clone, name))
    end

    {_, 0} = System.cmd("git", ~w(add -A), cd: clone)
    identity = ~w(-c user.name=t -c user.email=t@t.invalid)
    {_, 0} = System.cmd("git", identity ++ ~w(commit --quiet --allow-empty -m now), cd: clone)

    folder = project(context, ~s({:hf_hub, git: "#{clone}"}))
    mix!(folder, ["deps.get"])
    mix!(folder, ["compile"])
    mix!(folder, ["run", "-e", "Consumer.run()"])
    assert [path] = Path.wildcard(context.cache <> "/models--*/snapshots/*/model.safetensors")
    assert File.read!(path) == context.content
  end

  test "in a release that was moved, without its sources", context do
    folder = project(context, ~s({:hf_hub, path: "#{@root}"}))
    mix!(folder, ["release", "--quiet"])
    moved = Path.join(context.dir, "moved")
    File.rename!(Path.join(folder, "_build/prod/rel/consumer"), moved)
    File.rm_rf!(folder)
    env = [{"PATH", "#{:code.root_dir()}/bin:#{System.get_env("PATH")}"}]

    assert {_, 0} =
             System.cmd(Path.join(moved, "bin/consumer"), ["eval", "Consumer.run()"],
               env: env,
               stderr_to_stdout: true
             )

    assert [_path] = Path.wildcard(context.cache <> "/models--*/snapshots/*/model.safetensors")
  end

  test "in a script with Mix.install", context do
    script = Path.join(context.dir, "script.exs")
    File.write!(script, "Mix.install([{:hf_hub, path: \"#{@root}\"}])\nIO.puts(\"at \" <> #{context.call})\n")

    env = [
      {"MIX_INSTALL_DIR", Path.join(context.dir, "installs")},
      {"MIX_ENV", nil},
      {"MIX_BUILD_PATH", nil},
      {"HF_HUB_NIF_PATH", nil},
      {"CARGO_TARGET_DIR", System.get_env("CARGO_TARGET_DIR") || Path.join(@root, "target")},
      {"PATH", "#{:code.root_dir()}/bin:#{System.get_env("PATH")}"}
    ]

    assert {output, 0} = System.cmd("elixir", [script], env: env, stderr_to_stdout: true)
    assert output =~ "at #{context.cache}"
  end

  test "with a library built elsewhere, whose checksum must fit", context do
    folder = project(context, ~s({:hf_hub, path: "#{@root}"}))
    library = Path.join(context.dir, "built_elsewhere.so")
    File.cp!(:code.priv_dir(:hf_hub) |> Path.join("native/hf_hub_nif.so"), library)
    sha256 = sha256(File.read!(library))
    # Where no cargo is.
    bin = Path.join(context.dir, "bin")
    File.mkdir_p!(bin)

    for tool <- ~w(mix elixir sh env dirname basename readlink sed),
        path = System.find_executable(tool),
        do: File.ln_s!(path, Path.join(bin, tool))

    path = {"PATH", "#{bin}:#{:code.root_dir()}/bin:/bin:/usr/bin"}
    prebuilt = [{"HF_HUB_NIF_PATH", library}, path]

    assert {output, 1} = mix(folder, ["compile"], prebuilt)
    assert output =~ "HF_HUB_NIF_PATH needs a checksum" and output =~ sha256

    assert {output, 1} =
             mix(folder, ["compile"], [{"HF_HUB_NIF_SHA256", String.duplicate("0", 64)} | prebuilt])

    assert output =~ "but 0000"
    assert {output, 1} = mix(folder, ["compile"], [path])
    assert output =~ "cargo is not installed"
    mix!(folder, ["run", "-e", "Consumer.run()"], [{"HF_HUB_NIF_SHA256", sha256} | prebuilt])
  end
end
