Code.require_file("precompiled.exs", __DIR__)

defmodule Mix.Tasks.Compile.HfHubNative do
  # Installs the native library in `priv/native` of the build folder: copied from
  # HF_HUB_NIF_PATH, that of the release (see precompiled.exs), or compiled by cargo.
  # Loaded by mix.exs itself, so it also runs if hf_hub is a dependency. Cargo only
  # runs if a source has changed.
  #
  #   HF_HUB_NIF_PATH     a prebuilt library, used instead of compiling one
  #   HF_HUB_NIF_SHA256   its SHA-256, unless a file of that name + ".sha256" has it
  #   HF_HUB_NIF_PROFILE  cargo profile, "release" by default
  #   HF_HUB_NIF_TARGET   cargo target triple, for cross compilation
  #   HF_HUB_NIF_XET      "0" builds it without Xet, which is more than half of the build
  #   HF_HUB_NIF_PARQUET  "0" builds it without the reader of Parquet files
  @moduledoc false
  use Mix.Task.Compiler

  alias HfHub.Precompiled

  @root Path.expand("..", __DIR__)
  @crate "hf_hub_nif"

  # The number of lines of cargo's output in an error: several errors, and short enough for a Livebook cell.
  @lines 60

  # Minutes of one processor that a whole release build takes, as measured on Linux; beyond so many processors, they
  # wait for single crates.
  @minutes 11
  @minutes_without_xet 6
  @most_processors 8

  @impl true
  def run(args) do
    state = state()

    if "--force" not in args and File.exists?(library()) and read_manifest() == state do
      {:noop, []}
    else
      install(artefact())
      write_manifest(state)
      {:ok, []}
    end
  end

  @impl true
  def manifests, do: [manifest()]

  @impl true
  def clean do
    File.rm(manifest())
    File.rm(library())
    :ok
  end

  @doc "Builds one package with cargo, shows its output and returns the paths of the built files."
  def cargo_build!(package, profile \\ "release", extra \\ []) do
    cargo = System.find_executable("cargo") || Mix.raise(no_cargo())

    args =
      ~w(build --locked --message-format json-render-diagnostics --package) ++ [package, "--profile", profile]

    case run_cargo(cargo, args ++ target_folder() ++ extra) do
      {0, artefact, _shown} -> paths(artefact)
      {status, _artefact, shown} -> Mix.raise(failed(package, status, shown))
    end
  end

  # Nothing is written to the checkout of a dependency, which may be read-only or belong to another user. The target
  # folder is not in the dependency's build folder either: Mix clears that one after a failed build.
  defp target_folder do
    given = System.get_env("CARGO_TARGET_DIR", "")
    own = String.starts_with?(Mix.Project.build_path() <> "/", Path.join(@root, "_build") <> "/")
    if given != "" or own, do: [], else: ["--target-dir", Path.join(Mix.Project.build_path(), "hf_hub_cargo")]
  end

  # A port, so that cargo's output is shown while it runs, by the shell of this process: in Livebook, the standard
  # error of a command goes to the terminal of the server.
  defp run_cargo(cargo, args) do
    color = if IO.ANSI.enabled?(), do: ~c"always", else: ~c"auto"
    opts = [cd: @root, env: [{~c"CARGO_TERM_COLOR", color}], args: args, line: 1_000_000]
    port = Port.open({:spawn_executable, cargo}, [:binary, :exit_status, :stderr_to_stdout, :hide] ++ opts)
    follow(port, "", [])
  end

  # The last artefact is that of the requested package. The lines are in reverse order.
  defp follow(port, artefact, shown) do
    receive do
      {^port, {:data, {_eol, text}}} ->
        # While cargo waits for another cargo process, it overwrites its line.
        line = text |> String.split("\r") |> List.last() |> String.trim_trailing()

        cond do
          line =~ ~r/\A{"reason":"compiler-artifact"/ -> follow(port, line, shown)
          line =~ ~r/\A{"reason":/ -> follow(port, artefact, shown)
          true -> follow(port, artefact, [show(line) | shown])
        end

      {^port, {:exit_status, status}} ->
        {status, artefact, Enum.reverse(shown)}
    end
  end

  defp show(line) do
    Mix.shell().info(line)
    line
  end

  defp failed(package, status, shown) do
    plain = Enum.map(shown, &String.replace(&1, ~r/\e\[[0-9;]*m/, ""))

    lines =
      case Enum.drop_while(plain, &(not String.starts_with?(&1, "error"))) do
        [] -> Enum.take(plain, -@lines)
        # Builds of other crates go on beside the error.
        errors -> errors |> Enum.reject(&(&1 =~ ~r/\A *[A-Z][a-z]+ \S+ v\d/)) |> Enum.take(@lines)
      end

    Enum.join(["cargo could not build #{package} (exit status #{status}):", "" | lines ++ hint(plain)], "\n")
  end

  # Some crates of Xet require a newer Rust than all others.
  defp hint(lines) do
    if feature_args() == [] and Enum.any?(lines, &(&1 =~ " is not supported by the following package")),
      do: ["", "update Rust, or set HF_HUB_NIF_XET=0 to build without Xet, for which an older one is enough"],
      else: []
  end

  # What is installed: a file, or the content of one.
  defp artefact do
    case System.get_env("HF_HUB_NIF_PATH", "") do
      "" ->
        # A choice of how to compile it is a choice to compile it.
        chosen = profile() != "release" or feature_args() != []
        if chosen, do: compiled(), else: precompiled()

      path ->
        verify!(path)
        {:file, path}
    end
  end

  defp precompiled do
    case Precompiled.fetch(@root, Mix.Project.config()[:version]) do
      {:ok, library} ->
        {:content, library}

      :none ->
        compiled()

      {:error, reason} ->
        unless System.find_executable("cargo"),
          do: Mix.raise("#{reason}; #{no_cargo()}")

        Mix.shell().info("hf_hub: #{reason}")
        compiled()
    end
  end

  defp compiled do
    Mix.shell().info("Compiling the native part of hf_hub#{duration()}")

    @crate
    |> cargo_build!(profile(), target_args() ++ feature_args())
    |> Enum.find(&(Path.extname(&1) in [".so", ".dylib", ".dll"]))
    |> Kernel.||(Mix.raise("cargo built no library for #{@crate}"))
    |> then(&{:file, &1})
  end

  # A build after a change of sources takes less, and other profiles take their own time.
  defp duration do
    minutes = if feature_args() == [], do: @minutes, else: @minutes_without_xet
    shared = max(2, ceil(minutes / min(System.schedulers_online(), @most_processors)))
    if profile() == "release", do: ", which takes about #{shared} minutes the first time", else: ""
  end

  # Renamed into place: overwriting a library that a running VM has mapped would crash the VM.
  defp install(artefact) do
    File.mkdir_p!(Path.dirname(library()))
    temporary = library() <> ".#{System.unique_integer([:positive])}"

    case artefact do
      {:file, path} -> File.cp!(path, temporary)
      {:content, content} -> File.write!(temporary, content)
    end

    File.rename!(temporary, library())
    # Links priv of the build folder for projects that read it before this application is compiled.
    Mix.Project.build_structure()
  end

  defp verify!(path) do
    unless File.regular?(path), do: Mix.raise("invalid HF_HUB_NIF_PATH: #{path} is not a file")
    actual = :crypto.hash(:sha256, File.read!(path)) |> Base.encode16(case: :lower)

    case expected_sha256(path) do
      nil ->
        Mix.raise(
          "HF_HUB_NIF_PATH requires a checksum: set HF_HUB_NIF_SHA256, or write it to #{path}.sha256 " <>
            "(the SHA-256 of this file is #{actual})"
        )

      ^actual ->
        :ok

      other ->
        Mix.raise("checksum mismatch of #{path}: expected SHA-256 #{other}, got #{actual}")
    end
  end

  defp expected_sha256(path) do
    case {System.get_env("HF_HUB_NIF_SHA256"), File.read(path <> ".sha256")} do
      {sha, _file} when sha not in [nil, ""] -> String.downcase(sha)
      {_none, {:ok, text}} -> text |> String.split() |> List.first("") |> String.downcase()
      {_none, {:error, _}} -> nil
    end
  end

  # The state of the sources and variables that the library was built from.
  defp state do
    manifests = for path <- ~w(Cargo.toml Cargo.lock), do: Path.join(@root, path)
    crates = for crate <- ~w(hf_hub_engine hf_hub_nif), do: Path.join([@root, "native", crate])
    files = manifests ++ Enum.flat_map(crates, &files_below/1)

    switches =
      for name <- ~w(PATH SHA256 PROFILE TARGET XET PARQUET), do: System.get_env("HF_HUB_NIF_" <> name)

    given = System.get_env("HF_HUB_NIF_PATH", "")

    stamps =
      for file <- Enum.sort(files) ++ [given] do
        case File.stat(file, time: :posix) do
          {:ok, stat} -> {file, stat.mtime, stat.size}
          {:error, _} -> {file, nil, nil}
        end
      end

    :erlang.phash2({stamps, switches, Precompiled.state(@root)}, 4_294_967_296)
  end

  # Not a wildcard: the path of this project may contain wildcard characters.
  defp files_below(path) do
    case File.ls(path) do
      {:ok, names} -> Enum.flat_map(names, &files_below(Path.join(path, &1)))
      {:error, _not_a_folder} -> [path]
    end
  end

  # Cargo's message about an artefact contains the paths of its files as JSON strings.
  defp paths(artefact) do
    for [_quoted, path] <- Regex.scan(~r/"((?:[^"\\]|\\.)*)"/, artefact),
        path = unescape(path),
        File.regular?(path),
        do: path
  end

  defp unescape(json), do: String.replace(json, "\\\\", "\\")

  defp library do
    extension = if match?({:win32, _}, :os.type()), do: ".dll", else: ".so"
    Path.join([Mix.Project.app_path(), "priv", "native", @crate <> extension])
  end

  defp manifest, do: Path.join(Mix.Project.manifest_path(), "compile.hf_hub_native")

  defp read_manifest do
    case File.read(manifest()) do
      {:ok, text} -> String.to_integer(text)
      {:error, _} -> nil
    end
  end

  defp write_manifest(state) do
    File.mkdir_p!(Path.dirname(manifest()))
    File.write!(manifest(), Integer.to_string(state))
  end

  defp profile, do: System.get_env("HF_HUB_NIF_PROFILE", "release")

  defp target_args do
    case System.get_env("HF_HUB_NIF_TARGET") do
      target when target in [nil, ""] -> []
      target -> ["--target", target]
    end
  end

  defp feature_args do
    case Enum.split_with(~w(parquet xet), &(System.get_env("HF_HUB_NIF_" <> String.upcase(&1)) == "0")) do
      {[], _all} -> []
      {_left_out, []} -> ["--no-default-features"]
      {_left_out, [feature]} -> ["--no-default-features", "--features", feature]
    end
  end

  defp no_cargo do
    "cannot build the native library of hf_hub: cargo is not installed; install Rust (https://rustup.rs, or your " <>
      "system's package), or set HF_HUB_NIF_PATH and HF_HUB_NIF_SHA256 to a prebuilt library"
  end
end
