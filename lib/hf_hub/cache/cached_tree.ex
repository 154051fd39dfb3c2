defmodule HfHub.Cache.CachedTree do
  # Reads the listing of a commit that downloads store, in the format of the Python client.
  @moduledoc false

  alias HfHub.Api.{LfsInfo, TreeEntry}
  alias HfHub.Cache.{Engine, Tables}
  alias HfHub.Config.Source
  alias HfHub.{Error, FS, Git, Native, Options, RegularFile, RepoRef}
  alias HfHub.RepoRef.Folder

  @version 1

  # A listing of a million files has 200 MB.
  @largest 1_000_000_000

  @doc "Returns the result of `HfHub.Cache.tree/2`."
  @spec read(HfHub.repo(), keyword()) :: {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def read(repo_id, opts) do
    opts = Options.validate!(opts, Tables.tree(), repo_id)

    with {:ok, ref} <- RepoRef.resolve(repo_id, opts),
         {:ok, commit} <- commit(ref, opts),
         {:ok, files} <-
           with(:none <- stored(folder(ref, opts), commit), do: {:error, not_cached(ref, commit)}) do
      {:ok, for(file <- files, Folder.within?(file.path, ref.path), do: file)}
    end
  end

  defp commit(ref, opts) do
    revision = Options.given(revision: ref.revision)
    place = [repo_type: ref.repo_type, cache_dir: Engine.cache_dir(opts)]
    Git.resolve_revision(ref.repo_id, [local_files_only: true] ++ place ++ revision)
  end

  defp folder(ref, opts) do
    if opts[:local_dir],
      do: Path.join(Source.expand(opts[:local_dir]), ".cache/huggingface"),
      else: Path.join(Engine.cache_dir(opts), FS.repo_folder(ref.repo_id, ref.repo_type))
  end

  @doc """
  Returns the files of a commit as the listing in the folder of a repository has them. One that is damaged or of a newer
  format counts as none: the next download requests it again.
  """
  @spec stored(Path.t(), String.t()) :: {:ok, [TreeEntry.t()]} | :none
  def stored(folder, commit) do
    with {:ok, text} <- RegularFile.read(Path.join([folder, "trees", commit <> ".json"]), @largest),
         {:ok, %{"format_version" => @version, "files" => %{} = files}} <- Native.run(:parse_json, text),
         true <- Enum.all?(files, fn {_path, file} -> file?(file) end) do
      {:ok, files |> Enum.sort() |> Enum.map(&entry/1)}
    else
      _none -> :none
    end
  end

  defp file?(%{"size" => size, "blob_id" => blob_id} = file) do
    texts? = Enum.all?(["lfs_sha256", "xet_hash"], &(file[&1] == nil or is_binary(file[&1])))
    size?(size) and is_binary(blob_id) and texts? and (file["lfs_size"] == nil or size?(file["lfs_size"]))
  end

  defp file?(_other), do: false
  defp size?(size), do: is_integer(size) and size >= 0

  defp not_cached(ref, commit) do
    message =
      "the listing of #{inspect(ref.repo_id)} at #{commit} is not in the cache; snapshot downloads store it"

    Error.new(:not_cached, message, repo_id: ref.repo_id, revision: commit)
  end

  defp entry({path, %{"size" => size, "blob_id" => blob_id} = file}) do
    lfs = if sha256 = file["lfs_sha256"], do: %LfsInfo{sha256: sha256, size: file["lfs_size"]}
    %TreeEntry{type: :file, path: path, size: size, oid: blob_id, lfs: lfs, xet_hash: file["xet_hash"]}
  end
end
