defmodule HfHub.Dockerfile do
  # Builds the image of a Dockerfile where docker is there, and runs its steps as a script everywhere: the same commands in
  # the same order, in folders of a test that stand for those of the image.
  @moduledoc false

  @doc "Returns whether docker builds images on this machine: its program without its service does not."
  @spec docker?() :: boolean()
  def docker?, do: System.find_executable("docker") != nil and match?({_output, 0}, docker(["info"]))

  @doc "Runs a command of docker, and returns its output. Raises with the end of it."
  @spec docker!([String.t()]) :: String.t()
  def docker!(args) do
    case docker(args) do
      {output, 0} ->
        output

      {output, status} ->
        raise "docker #{hd(args)} failed (#{status}):\n#{String.slice(output, -3000..-1//1)}"
    end
  end

  defp docker(args), do: System.cmd("docker", args, stderr_to_stdout: true)

  @doc """
  Runs the steps of a Dockerfile as a script. `folders` maps absolute paths of the image, and the names of other sources of COPY, to folders here.
  Returns what the commands have printed, as `:shown`.
  """
  def run(path, folders, env) do
    state = %{context: Path.dirname(path), folders: folders, env: Map.new(env), dir: nil, shown: ""}

    for line <- steps(File.read!(path)), reduce: state do
      state -> step(line, state)
    end
  end

  @doc "Returns the instructions of a Dockerfile, without comments."
  def steps(text) do
    text = String.replace(text, "\\\n", " ")

    for line <- String.split(text, "\n"),
        line = String.trim(line),
        line != "",
        not String.starts_with?(line, "#"),
        do: line
  end

  defp step("WORKDIR " <> dir, state) do
    dir = here(dir, state)
    File.mkdir_p!(dir)
    %{state | dir: dir}
  end

  defp step("ENV " <> setting, state) do
    [name, value] = String.split(setting, "=", parts: 2)
    put_in(state.env[name], here(value, state))
  end

  defp step("COPY --from=" <> rest, state) do
    [from, source, target] = String.split(rest)
    # A folder of another stage is at its place; the whole of another source is where it is.
    unless source == ".", do: File.cp_r!(here(source, state), Path.expand(target, state.dir))
    if source == ".", do: true = Map.has_key?(state.folders, "/" <> from)
    state
  end

  defp step("COPY " <> rest, state) do
    [source, target] = String.split(rest)
    target = Path.expand(target, state.dir)
    target = if File.dir?(Path.join(state.context, source)), do: target, else: Path.join(target, source)
    File.cp_r!(Path.join(state.context, source), target)
    state
  end

  defp step("RUN " <> command, state) do
    command = Regex.replace(~r/--mount=\S+ /, command, "")

    # Packages and Rust of the image, and tools of Mix that this machine has.
    if command =~ ~r/^(apt-get|curl|mix local)/, do: state, else: execute(command, state)
  end

  # FROM, ARG, USER and CMD are of the image only.
  defp step(_other, state), do: state

  defp execute(command, state) do
    command = Enum.reduce(state.folders, command, fn {from, to}, text -> String.replace(text, from, to) end)

    case System.cmd("sh", ["-euc", command],
           cd: state.dir,
           env: Map.to_list(state.env),
           stderr_to_stdout: true
         ) do
      {output, 0} -> %{state | shown: state.shown <> output}
      {output, status} -> raise "#{command} failed (#{status}):\n#{output}"
    end
  end

  # The longest path first, so that none is taken for the beginning of another.
  defp here(path, state) do
    found =
      state.folders
      |> Enum.sort_by(&(-byte_size(elem(&1, 0))))
      |> Enum.find(fn {from, _to} -> String.starts_with?(path, from) end)

    if found, do: String.replace_prefix(path, elem(found, 0), elem(found, 1)), else: path
  end
end
