defmodule HfHub.Cache.FolderCheck do
  # Compares the files of a folder with the Hub's listing of a repository.
  @moduledoc false

  alias HfHub.{Api, Decode, Error, LocalFiles, Native, Options, RepoRef}
  alias HfHub.Cache.{FolderVerification, Tables}
  alias HfHub.Config.Source
  alias HfHub.Lock.{Pinning, Text}
  alias HfHub.RepoRef.Folder

  @doc "Returns the result of `HfHub.Cache.verify_folder/3`."
  @spec run(Path.t(), HfHub.repo(), keyword()) :: {:ok, FolderVerification.t()} | {:error, Error.t()}
  def run(folder, repo_id, opts) do
    opts = Options.validate!(opts, Tables.folder(), repo_id)
    [folder: folder] = Options.validate!([folder: folder], folder: [type: :path, required: true])
    folder = Source.expand(folder)

    with {:ok, ref} <- RepoRef.resolve(repo_id, opts),
         {:ok, present} <- present(folder, ref),
         {:ok, entries} <- listed(repo_id, opts),
         {both, missing} = Enum.split_with(entries, &MapSet.member?(present, &1.path)),
         pinned = both |> Enum.map(&Pinning.pinned/1) |> Enum.sort_by(& &1.path, :desc),
         :ok <- comparable(pinned, ref),
         {:ok, mismatches} <- mismatches(pinned, folder, opts[:max_workers]) do
      facts = %{
        verified_path: folder,
        revision: ref.revision || "main",
        checked_count: length(both),
        mismatches: mismatches,
        missing_paths: paths(missing),
        extra_paths: present |> MapSet.difference(MapSet.new(paths(entries))) |> Enum.sort()
      }

      {:ok, Decode.struct(FolderVerification, facts)}
    end
  end

  defp present(folder, ref) do
    with {:ok, files} <- LocalFiles.all(folder) do
      paths = for {path, _info} <- files, ours?(path), Folder.within?(path, ref.path), do: path
      {:ok, MapSet.new(paths)}
    end
  end

  # Folders of git and of downloads are never part of a repository.
  defp ours?(path), do: not ("/" <> path <> "/" =~ ~r"/(\.git|\.cache/huggingface)/")

  defp listed(repo_id, opts) do
    call = Keyword.take(opts, Keyword.keys(Tables.folder()) -- [:max_workers])

    with {:ok, entries} <- Api.list_repo_tree(repo_id, [recursive: true] ++ call),
         do: {:ok, for(%{type: :file} = entry <- entries, do: entry)}
  end

  defp paths(entries), do: entries |> Enum.map(& &1.path) |> Enum.sort()

  # A file must not count as damaged because a mirror lists ids of its own.
  defp comparable(files, ref) do
    case Enum.find(files, &(not Text.hash?(&1.algorithm, &1.hash))) do
      nil ->
        :ok

      %{path: path} ->
        message =
          "the listing of #{inspect(ref.repo_id)} has no hash of the content of #{inspect(path)} to compare with"

        {:error, Error.new(:invalid_response, message, repo_id: ref.repo_id, path: path)}
    end
  end

  defp mismatches(files, folder, max_workers) do
    workers = max_workers || System.schedulers_online()

    files
    |> Task.async_stream(&compare(&1, folder), max_concurrency: workers, timeout: :infinity)
    |> Enum.reduce_while({:ok, []}, fn
      {:ok, :same}, found -> {:cont, found}
      {:ok, {:differs, mismatch}}, {:ok, found} -> {:cont, {:ok, [mismatch | found]}}
      {:ok, {:error, error}}, _found -> {:halt, {:error, error}}
    end)
  end

  defp compare(%{path: path, algorithm: algorithm, hash: expected}, folder) do
    with {:ok, actual} <- Native.run(:hash_file, %{path: Path.join(folder, path), algorithm: algorithm}) do
      if actual == expected,
        do: :same,
        else: {:differs, %{path: path, expected: expected, actual: actual, algorithm: algorithm}}
    end
  end
end
