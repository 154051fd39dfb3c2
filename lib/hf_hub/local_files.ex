defmodule HfHub.LocalFiles do
  # The files of a folder on this machine with their sizes and times, by their paths with slashes.
  @moduledoc false

  alias HfHub.Error
  alias HfHub.Error.Io

  @type info :: {size :: non_neg_integer(), seconds :: integer()}

  # Metadata of downloads, which belongs to the folder on this machine.
  @state ".cache/huggingface"

  @doc "Returns all regular files below a folder. Links to files are files; links to folders are not followed."
  @spec all(Path.t()) :: {:ok, %{String.t() => info()}} | {:error, Error.t()}
  def all(folder), do: walk([""], folder, %{})

  @doc "Returns those of the given regular files that exist below a folder."
  @spec some(Path.t(), [String.t()]) :: {:ok, %{String.t() => info()}}
  def some(folder, paths) do
    {:ok, for(path <- paths, info = info(Path.join(folder, path)), into: %{}, do: {path, info})}
  end

  defp walk([], _root, found), do: {:ok, found}
  defp walk([@state | rest], root, found), do: walk(rest, root, found)

  defp walk([folder | rest], root, found) do
    case File.ls(Path.join(root, folder)) do
      {:ok, names} ->
        paths = for name <- names, do: if(folder == "", do: name, else: folder <> "/" <> name)
        {folders, files} = Enum.split_with(paths, &folder?(Path.join(root, &1)))
        found = for path <- files, info = info(Path.join(root, path)), into: found, do: {path, info}
        walk(folders ++ rest, root, found)

      {:error, reason} ->
        place = Path.join(root, folder)

        {:error, Io.new("list", place, reason)}
    end
  end

  defp folder?(path), do: match?({:ok, %{type: :directory}}, File.lstat(path))

  defp info(path) do
    case File.stat(path, time: :posix) do
      {:ok, %{type: :regular} = stat} -> {stat.size, stat.mtime}
      # Opening a pipe could wait for ever, and a socket cannot be opened.
      _other_or_failed -> nil
    end
  end
end
