defmodule HfHub.Cache.FolderCheck do
  # Compares the files of a folder with the Hub's listing of a repository.
  @moduledoc false

  alias HfHub.{Api, Decode, Error, LocalFiles, Native, Options, RepoRef}
  alias HfHub.Cache.{FolderVerification, Tables}
  alias HfHub.Config.Source
  alias HfHub.Lock.Pinning

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
         {:ok, mismatches} <- mismatches(both, folder, opts[:max_workers]) do
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
    with {:ok, files} <- LocalFiles.all(folder),
         do:
           {:ok,
            for({path, _info} <- files, ours?(path), below?(path, ref.path), into: MapSet.new(), do: path)}
  end

  # Folders of git and of downloads are never part of a repository.
  defp ours?(path), do: not ("/" <> path <> "/" =~ ~r"/(\.git|\.cache/huggingface)/")

  defp below?(_path, nil), do: true
  defp below?(path, folder), do: String.starts_with?(path, folder <> "/")

  defp listed(repo_id, opts) do
    call = Keyword.take(opts, Keyword.keys(Tables.folder()) -- [:max_workers])

    with {:ok, entries} <- Api.list_repo_tree(repo_id, [recursive: true] ++ call),
         do: {:ok, for(%{type: :file} = entry <- entries, do: entry)}
  end

  defp paths(entries), do: entries |> Enum.map(& &1.path) |> Enum.sort()

  defp mismatches(entries, folder, max_workers) do
    workers = max_workers || System.schedulers_online()

    entries
    |> Enum.sort_by(& &1.path, :desc)
    |> Task.async_stream(&compare(&1, folder), max_concurrency: workers, timeout: :infinity)
    |> Enum.reduce_while({:ok, []}, fn
      {:ok, :same}, found -> {:cont, found}
      {:ok, {:differs, mismatch}}, {:ok, found} -> {:cont, {:ok, [mismatch | found]}}
      {:ok, {:error, error}}, _found -> {:halt, {:error, error}}
    end)
  end

  defp compare(entry, folder) do
    %{path: path, algorithm: algorithm, hash: expected} = Pinning.pinned(entry)

    with {:ok, actual} <- Native.run(:hash_file, %{path: Path.join(folder, path), algorithm: algorithm}) do
      if actual == expected,
        do: :same,
        else: {:differs, %{path: path, expected: expected, actual: actual, algorithm: algorithm}}
    end
  end
end
