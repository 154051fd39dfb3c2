defmodule HfHub.BuildTest do
  # Builds of projects that use the library: as a dependency, in a script, in a release, without cargo.
  use HfHub.Case, async: false

  alias HfHub.{Checkout, Dockerfile, Vm}

  @moduletag :build
  # Cargo builds everything where nothing is built yet.
  @moduletag timeout: 1_800_000

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
    System.cmd("mix", args, cd: folder, env: [{"MIX_ENV", "prod"} | env(env)], stderr_to_stdout: true)
  end

  # Cargo does not optimize: these builds are for what they put where, and their speed is not tested.
  defp env(more) do
    [
      {"CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"},
      {"MIX_BUILD_PATH", nil},
      {"HF_HUB_NIF_PATH", nil},
      {"HF_HUB_NIF_SHA256", nil},
      {"HF_HUB_NIF_PROFILE", nil},
      {"CARGO_TARGET_DIR", target()},
      {"PATH", "#{:code.root_dir()}/bin:#{System.get_env("PATH")}"}
    ] ++ more
  end

  defp target, do: System.get_env("CARGO_TARGET_DIR") || Path.join(@root, "target")

  defp checkout(context), do: Checkout.copy(Path.join(context.dir, "checkout"))

  defp mix!(folder, args, env \\ []) do
    assert {output, 0} = mix(folder, args, env)
    output
  end

  test "builds as a path dependency from a read-only checkout, prints nothing once it is built, and runs in a release without its sources",
       context do
    checkout = checkout(context)
    before = listing(checkout)
    folder = project(context, ~s({:hf_hub, path: "#{checkout}"}))

    output =
      read_only!(
        checkout,
        folder,
        "mix compile && echo Compiled && mix compile && mix run -e 'Consumer.run()'"
      )

    assert output =~ ~r/Compiling the native part of hf_hub, which takes about \d+ minutes the first time/
    assert [_compiling, ""] = String.split(output, "Compiled\n")
    refute output =~ "warning"
    assert listing(checkout) == before

    assert Path.wildcard(folder <> "/_build/prod/lib/hf_hub/priv/native/*") |> Enum.map(&Path.basename/1) == [
             "hf_hub_nif.so"
           ]

    mix!(folder, ["release", "--quiet"])
    File.rm_rf!(checkout)
    runs_in_a_moved_release(context, folder)
  end

  # Runs a command in the folder of a project whose dependency cannot be written to. Cargo's output for the other tests is
  # in the folder that is used without CARGO_TARGET_DIR.
  defp read_only!(checkout, folder, command) do
    root? = match?({"0\n", 0}, System.cmd("id", ["-u"]))
    cargo = Path.join(folder, "_build/prod/hf_hub_cargo")
    File.mkdir_p!(Path.dirname(cargo))
    File.mkdir_p!(target())
    if root?, do: File.mkdir!(cargo), else: File.ln_s!(target(), cargo)
    opts = [cd: folder, env: env([{"MIX_ENV", "prod"}, {"CARGO_TARGET_DIR", nil}]), stderr_to_stdout: true]

    assert {output, 0} =
             if(root?, do: mounted(checkout, cargo, command, opts), else: guarded(checkout, command, opts))

    output
  end

  # Root may write whatever the file mode is, but not to a read-only mount, which exists for this command
  # only.
  defp mounted(checkout, cargo, command, opts) do
    script = """
    set -e
    mount --bind "#{target()}" "#{cargo}"
    mount --bind "#{checkout}" "#{checkout}"
    mount -o remount,ro,bind "#{checkout}"
    ! touch "#{checkout}/x" 2>/dev/null
    #{command}
    """

    System.cmd("unshare", ["--mount", "sh", "-c", script], opts)
  end

  defp guarded(checkout, command, opts) do
    {_, 0} = System.cmd("chmod", ["-R", "a-w", checkout])
    result = System.cmd("sh", ["-c", command], opts)
    {_, 0} = System.cmd("chmod", ["-R", "u+w", checkout])
    result
  end

  defp listing(folder) do
    {listing, 0} = System.cmd("find", [folder, "-printf", "%P %s %T@\\n"])
    listing |> String.split("\n") |> Enum.sort()
  end

  defp runs_in_a_moved_release(context, folder) do
    moved = Path.join(context.dir, "moved")
    File.rename!(Path.join(folder, "_build/prod/rel/consumer"), moved)
    File.rm_rf!(folder)
    File.rm_rf!(context.cache)
    env = [{"PATH", "#{:code.root_dir()}/bin:#{System.get_env("PATH")}"}]

    assert {_, 0} =
             System.cmd(Path.join(moved, "bin/consumer"), ["eval", "Consumer.run()"],
               env: env,
               stderr_to_stdout: true
             )

    assert [_path] = Path.wildcard(context.cache <> "/models--*/snapshots/*/model.safetensors")

    # The launcher, from a link in another folder, with arguments that shells and Elixir would take apart.
    File.cp!(Path.join(@root, "bin/hf_hub"), Path.join(moved, "bin/hf_hub"))
    link = Path.join(context.dir, "hf_hub")
    File.ln_s!(Path.join(moved, "bin/hf_hub"), link)
    run = &System.cmd(link, &1, env: env, stderr_to_stdout: true)
    assert run.(["--version"]) == {HfHub.version() <> "\n", 0}
    assert {output, 2} = run.(["a 'b' \"c\" \#{d} $e\nf"])
    assert output =~ ~S(unknown command "a 'b' \"c\" \#{d} $e\nf")
    assert {json, 0} = run.(["cache", "ls", "--json", "--cache-dir", context.cache])
    assert json =~ ~s("repo_type":"model")
  end

  test "the steps of a Dockerfile build a release that runs with its models offline, and the project's suite passes",
       context do
    project = Path.join(context.dir, "consumer")
    File.cp_r!(Path.join(@root, "examples/consumer"), project)
    {id, _commit} = repo(context, %{"config.txt" => "7"})
    HfHub.Lock.pin!(id, lock: Path.join(project, "hf_hub.lock"), endpoint: context.endpoint)
    library = :hf_hub |> :code.priv_dir() |> Path.join("native/hf_hub_nif.so")

    env =
      env([
        {"HF_HUB_NIF_PATH", library},
        {"HF_HUB_NIF_SHA256", sha256(File.read!(library))},
        {"HF_ENDPOINT", context.endpoint}
      ])

    folders =
      for name <- ~w(/app /srv /models), into: %{}, do: {name, Path.join(context.dir, "image" <> name)}

    folders = Map.put(folders, "/hf_hub", @root)
    compiled_before(folders["/app"])
    built = Dockerfile.run(Path.join(project, "Dockerfile"), folders, env)
    assert built.shown =~ "bundled #{id}"

    # What the image runs, at another place and without its sources.
    moved = Path.join(context.dir, "moved")
    File.rename!(folders["/srv"], moved)
    File.rename!(folders["/app"], project <> "_built")
    there = [{"HF_ENDPOINT", "http://127.0.0.1:1"} | Vm.env()]
    run = &System.cmd(Path.join(moved, "bin/consumer"), &1, env: there, stderr_to_stdout: true)
    assert {"", 0} = run.(["eval", "{:ok, 7} = Consumer.layers(\"#{id}\")"])
    # The second process of this check is the emulator of the release.
    writable = "cache_dir: \"#{context.dir}\", groups: [:cache]"
    assert {output, 0} = run.(["eval", "IO.puts(HfHub.Doctor.run(#{writable}))"])
    assert output =~ ~r/^ok +locks +exclude another process$/m

    # In the environment of the release, so that the library is compiled once.
    File.cp_r!(Path.join(project, "test"), project <> "_built/test")
    assert mix!(project <> "_built", ["test"], [{"HF_HUB_PATH", @root} | env]) =~ "6 tests, 0 failures"
  end

  # Gives a project the library as this checkout has compiled it, for tests that are not about compiling it.
  defp compiled_before(folder) do
    own = Path.join(@root, "_build/dev/lib/hf_hub")
    to = Path.join(folder, "_build/prod/lib")
    File.mkdir_p!(to)
    # Newer than all sources, as after a build.
    if File.dir?(own), do: {_, 0} = System.cmd("cp", ["-R", "--preserve=timestamps", own, to])
    File.rm_rf!(Path.join(to, "hf_hub/priv"))
  end

  # The library is downloaded from this VM: compiling it in the image would take minutes.
  @tag skip: not Dockerfile.docker?() and "docker is not there"
  test "docker builds the image of the Dockerfile, whose release runs with its models offline", context do
    project = Path.join(context.dir, "consumer")
    File.cp_r!(Path.join(@root, "examples/consumer"), project)
    {id, _commit} = repo(context, %{"config.txt" => "7"})
    HfHub.Lock.pin!(id, lock: Path.join(project, "hf_hub.lock"), endpoint: context.endpoint)
    checkout = checkout(context)
    Checkout.release(checkout)
    image = "hf_hub_test_consumer_#{System.pid()}"
    on_exit(fn -> Dockerfile.docker!(["rmi", "--force", image]) end)

    build =
      ["build", "--network", "host", "--build-context", "hf_hub=#{checkout}"] ++
        ["--build-arg", "HF_ENDPOINT=#{context.endpoint}", "--tag", image, project]

    assert Dockerfile.docker!(build) =~ "bundled #{id}"
    run = &Dockerfile.docker!(["run", "--rm", "--network", "none", image, "bin/consumer", "eval", &1])
    assert run.("{:ok, 7} = Consumer.layers(\"#{id}\")") == ""
    writable = "cache_dir: \"/tmp/cache\", groups: [:cache]"
    assert run.("IO.puts(HfHub.Doctor.run(#{writable}))") =~ ~r/^ok +locks +exclude another process$/m
  end

  defp script(context, path, more \\ []) do
    env = env([{"MIX_INSTALL_DIR", Path.join(context.dir, "installs")}, {"MIX_ENV", nil} | more])
    System.cmd("elixir", [path], env: env, stderr_to_stdout: true)
  end

  test "shows cargo's progress while it runs, and its error in the exception", context do
    checkout = checkout(context)
    source = Path.join(checkout, "native/hf_hub_engine/src/lib.rs")
    File.write!(source, File.read!(source) <> "compile_error!(\"broken on purpose\");\n")
    [shown, said] = for name <- ["shown", "said"], do: Path.join(context.dir, name)
    script = Path.join(context.dir, "script.exs")

    # As in a Livebook cell, the output of the code goes to a process.
    File.write!(script, """
    {:ok, screen} = StringIO.open("")
    Process.group_leader(self(), screen)

    said =
      try do
        Mix.install([{:hf_hub, path: "#{checkout}"}])
        "no error"
      rescue
        error -> Exception.message(error)
      end

    File.write!("#{said}", said)
    File.write!("#{shown}", elem(StringIO.contents(screen), 1))
    """)

    assert {_output, 0} = script(context, script)
    assert File.read!(shown) =~ ~r/Compiling hf_hub_engine v/
    said = File.read!(said)
    assert said =~ "cargo could not build hf_hub_nif (exit status 101):\n\nerror: broken on purpose\n"
    assert said =~ "native/hf_hub_engine/src/lib.rs:"
    refute said =~ "Compiling" or said =~ "\e["
  end

  test "shows what helps if Rust is too old", context do
    checkout = checkout(context)
    manifest = Path.join(checkout, "Cargo.toml")

    File.write!(
      manifest,
      String.replace(File.read!(manifest), ~r/rust-version = ".*"/, ~s(rust-version = "1.9999"))
    )

    folder = project(context, ~s({:hf_hub, path: "#{checkout}"}))
    assert {output, 1} = mix(folder, ["compile"], [])
    assert output =~ "requires rustc 1.9999"
    assert output =~ "HF_HUB_NIF_XET=0"
    assert {output, 1} = mix(folder, ["compile"], [{"HF_HUB_NIF_XET", "0"}])
    assert output =~ "requires rustc 1.9999"
    refute output =~ "HF_HUB_NIF_XET=0"
  end

  test "installs a release from git in a script, without cargo", context do
    checkout = checkout(context)
    url = Checkout.release(checkout)
    commit(checkout)
    cache = Path.join(context.dir, "native_cache")
    script = Path.join(context.dir, "script.exs")

    File.write!(
      script,
      "Mix.install([{:hf_hub, git: \"#{checkout}\"}])\nIO.puts(\"at \" <> #{context.call})\n"
    )

    assert {output, 0} = script(context, script, [{"HF_HUB_NIF_CACHE", cache}, without_cargo(context)])
    assert output =~ "Downloading the native part of hf_hub from #{url}/"
    assert output =~ "at #{context.cache}"
    assert [path] = Path.wildcard(context.cache <> "/models--*/snapshots/*/model.safetensors")
    assert File.read!(path) == context.content
    assert File.ls!(cache) == File.ls!(Path.join(checkout, "dist"))
  end

  defp commit(folder) do
    {_, 0} = System.cmd("git", ~w(init --quiet), cd: folder)
    {_, 0} = System.cmd("git", ~w(add -A), cd: folder)
    identity = ~w(-c user.name=t -c user.email=t@t.invalid)
    {_, 0} = System.cmd("git", identity ++ ~w(commit --quiet -m now), cd: folder)
  end

  defp without_cargo(context) do
    bin = Path.join(context.dir, "bin")
    File.mkdir_p!(bin)

    for tool <- ~w(mix elixir sh env dirname basename readlink sed),
        path = System.find_executable(tool),
        do: File.ln_s!(path, Path.join(bin, tool))

    {"PATH", "#{bin}:#{:code.root_dir()}/bin:/bin:/usr/bin"}
  end

  test "uses a prebuilt library whose checksum matches", context do
    folder = project(context, ~s({:hf_hub, path: "#{@root}"}))
    compiled_before(folder)
    library = Path.join(context.dir, "built_elsewhere.so")
    File.cp!(:code.priv_dir(:hf_hub) |> Path.join("native/hf_hub_nif.so"), library)
    sha256 = sha256(File.read!(library))
    path = without_cargo(context)
    prebuilt = [{"HF_HUB_NIF_PATH", library}, path]

    assert {output, 1} = mix(folder, ["compile"], prebuilt)
    assert output =~ "HF_HUB_NIF_PATH requires a checksum" and output =~ sha256

    assert {output, 1} =
             mix(folder, ["compile"], [{"HF_HUB_NIF_SHA256", String.duplicate("0", 64)} | prebuilt])

    assert output =~ "expected SHA-256 0000"
    assert {output, 1} = mix(folder, ["compile"], [path])
    assert output =~ "cargo is not installed"
    mix!(folder, ["run", "-e", "Consumer.run()"], [{"HF_HUB_NIF_SHA256", sha256} | prebuilt])
  end
end
