defmodule HfHub.Jobs.Uv do
  # The command of a job that runs a Python script with uv.
  @moduledoc false

  alias HfHub.Jobs.Spec

  @suffixes ~w(.py .sh .yaml .yml .toml)

  @doc "Returns the specification of a job that runs a script. Raises `ArgumentError` for files of this machine."
  @spec spec!(String.t(), keyword()) :: map()
  def spec!(script, opts) do
    unless is_binary(script) and script != "",
      do: raise(ArgumentError, "expected the script to be a URL or a command, as a string")

    args = opts[:script_args]
    Enum.each([script | args], &check_local/1)
    with_packages = Enum.flat_map(opts[:dependencies], &["--with", &1])
    python = if opts[:python], do: ["--python", opts[:python]], else: []
    command = ["uv", "run"] ++ with_packages ++ python ++ [script | args]
    Spec.new!(opts[:image], command, opts, Spec.script_name(script, args))
  end

  defp check_local(text) do
    named? = Path.extname(text) in @suffixes and not String.starts_with?(text, ["https://", "http://"])

    if named? or File.regular?(text) do
      raise ArgumentError,
            "#{inspect(text)} is a file of this machine, and this library does not upload files for jobs yet: upload it " <>
              "to a repository with HfHub.Commit.upload_file/4 and pass its URL, or pass a command of a package, such as " <>
              "\"lighteval\""
    end
  end
end
