defmodule HfHub.Jobs.Uv do
  # The command of a job that runs a Python script with uv. Files of this machine among the script and its arguments are
  # uploaded to a bucket that the job mounts.
  @moduledoc false

  alias HfHub.{Account, Error}
  alias HfHub.Jobs.{Artifacts, Spec}

  @suffixes ~w(.py .sh .yaml .yml .toml)
  @mount_path "/data"

  @doc """
  Returns the specification of a job that runs a script, and the namespace of the job. Raises `ArgumentError` for wrong
  arguments before a request is sent.
  """
  @spec spec(String.t(), keyword()) :: {:ok, map(), String.t()} | {:error, Error.t()}
  def spec(script, opts) do
    unless is_binary(script) and script != "",
      do:
        raise(ArgumentError, "expected the script to be a URL, a command or the path of a file, as a string")

    files = [script | opts[:script_args]] |> Enum.uniq() |> Enum.filter(&local?/1) |> named()
    folder = if files != %{}, do: Artifacts.new_folder()
    spec!(script, files, Artifacts.volume("me", folder, @mount_path, false), opts)

    with {:ok, namespace} <- Account.name(opts[:namespace], opts),
         :ok <- upload(namespace, folder, files, opts),
         do:
           {:ok, spec!(script, files, Artifacts.volume(namespace, folder, @mount_path, false), opts),
            namespace}
  end

  defp upload(_namespace, nil, _files, _opts), do: :ok
  defp upload(namespace, folder, files, opts), do: Artifacts.upload(namespace, folder, files, opts)

  defp spec!(script, files, volume, opts) do
    args = opts[:script_args]
    with_packages = Enum.flat_map(opts[:dependencies], &["--with", &1])
    python = if opts[:python], do: ["--python", opts[:python]], else: []
    there = &if name = files[&1], do: "#{@mount_path}/#{name}", else: &1
    command = ["uv", "run"] ++ with_packages ++ python ++ Enum.map([script | args], there)
    opts = if files == %{}, do: opts, else: mounted!(opts, volume)
    Spec.new!(opts[:image], command, opts, Spec.script_name(script, args))
  end

  defp mounted!(opts, volume) do
    volumes = opts[:volumes] || []

    if is_list(volumes) and Enum.any?(volumes, &match?(%{mount_path: @mount_path}, &1)) do
      raise ArgumentError,
            "#{inspect(@mount_path)} is where the files of this machine are mounted; mount the volume at another path"
    end

    if is_list(volumes), do: Keyword.put(opts, :volumes, volumes ++ [volume]), else: opts
  end

  defp local?(text) do
    named? = Path.extname(text) in @suffixes and not String.starts_with?(text, ["https://", "http://"])

    cond do
      File.regular?(text) -> true
      named? -> raise ArgumentError, "#{inspect(text)} is not a file of this machine; pass its path, or a URL"
      true -> false
    end
  end

  # Their names in the folder of the bucket. Files of the same name get numbers, as in the Python client.
  defp named(paths) do
    Enum.reduce(paths, %{}, fn path, names ->
      name = path |> Path.basename() |> String.replace(" ", "_")
      Map.put(names, path, free(name, Map.values(names)))
    end)
  end

  defp free(name, taken) do
    extension = Path.extname(name)
    numbered = Stream.map(0..length(taken), &"#{Path.rootname(name)}(#{&1})#{extension}")
    Enum.find(Stream.concat([name], numbered), &(&1 not in taken))
  end
end
