defmodule HfHub.Incomplete do
  # Names of files that are written beside their places and renamed once they are complete. A name has its writer, so that
  # what a writer that was killed has left is removed by a later one.
  @moduledoc false

  @doc "Returns a new path beside that of a file, for the calling process to write to."
  @spec beside(Path.t()) :: Path.t()
  def beside(path) do
    writer = self() |> :erlang.pid_to_list() |> List.to_string() |> String.slice(1..-2//1)
    name = ".#{Path.basename(path)}.#{System.pid()}-#{writer}-#{:rand.uniform(0xFFFFFFFF)}.incomplete"
    Path.join(Path.dirname(path), name)
  end

  @doc "Removes the files in a folder whose names match, and whose writers have ended."
  @spec clean(Path.t(), Regex.t()) :: :ok
  def clean(folder, names) do
    with {:ok, found} <- File.ls(folder),
         do: for(name <- found, name =~ names, left?(name), do: File.rm(Path.join(folder, name)))

    :ok
  end

  defp left?(name) do
    case Regex.run(~r/\.(\d+)-([\d.]+)-\d+\.incomplete\z/, name) do
      [_all, os, writer] -> if(os == System.pid(), do: not alive?(writer), else: not runs?(os))
      nil -> true
    end
  end

  # Where the system does not show its processes, those of other VMs count as ended.
  defp runs?(os), do: File.dir?("/proc/self") and File.dir?("/proc/" <> os)

  defp alive?(writer) do
    Process.alive?(:erlang.list_to_pid(~c"<#{writer}>"))
  rescue
    # Not a process of this VM.
    ArgumentError -> false
  end
end
