defmodule HfHub.LocalHub.Executable do
  # Finds the server executable, or builds it.
  @moduledoc false

  require Logger

  alias HfHub.Config.{Setting, Source}
  alias HfHub.Error

  @sources Path.expand("../../..", __DIR__)
  @name "hf_hub_server"

  @doc "Returns the path of the executable: the given one, else the first that exists, else a new build."
  @spec find(Path.t() | nil) :: {:ok, Path.t()} | {:error, Error.t()}
  def find(given) do
    given = given || Setting.value(:local_hub_executable)

    cond do
      given && File.regular?(given) -> {:ok, Path.expand(given)}
      given -> {:error, Error.new(:io, "the Local Hub executable #{given} does not exist")}
      found = Enum.find(places(), &File.regular?/1) -> {:ok, found}
      true -> build()
    end
  end

  defp places do
    target = Source.env("CARGO_TARGET_DIR") || Path.join(@sources, "target")

    [
      Path.join([to_string(:code.priv_dir(:hf_hub)), "native", @name]),
      Path.join([target, "release", @name]),
      Path.join([built_root(), "bin", @name])
    ]
  end

  defp built_root do
    :filename.basedir(:user_cache, "hf_hub") |> to_string() |> Path.join("local_hub-#{HfHub.version()}")
  end

  defp build do
    crate = Path.join([@sources, "native", @name])
    cargo = System.find_executable("cargo")

    if cargo && File.dir?(crate) do
      Logger.info("building the Local Hub executable (only once, takes a minute or two)")
      install(cargo, crate)
    else
      message =
        "the Local Hub executable #{@name} was not found, and building it requires cargo and the sources; " <>
          "build it elsewhere (cargo build --release -p #{@name}) and set HF_HUB_SERVER_PATH to its path"

      {:error, Error.new(:io, message)}
    end
  end

  # Nothing is written to the source folder: in a dependency it may be read-only.
  defp install(cargo, crate) do
    scratch = Path.join(built_root(), "target")
    target = Source.env("CARGO_TARGET_DIR") || scratch
    args = ["install", "--quiet", "--locked", "--path", crate, "--root", built_root(), "--target-dir", target]

    case System.cmd(cargo, args, stderr_to_stdout: true) do
      {_output, 0} ->
        File.rm_rf(scratch)
        {:ok, Path.join([built_root(), "bin", @name])}

      {output, _status} ->
        {:error, Error.new(:io, "cargo could not build the Local Hub: #{output}")}
    end
  end
end
