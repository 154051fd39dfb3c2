defmodule HfHub.Cache.CachedTree do
  # Reads the listing of a commit that downloads store, in the format of the Python client.
  @moduledoc false

  alias HfHub.Api.{LfsInfo, TreeEntry}
  alias HfHub.Cache.{Engine, Tables}
  alias HfHub.Config.Source
  alias HfHub.{Error, FS, Git, Native, Options, RegularFile, RepoRef}

  @version 1

  # A listing of a million files has 200 MB.
  @largest 1_000_000_000

  @doc "Returns the result of `HfHub.Cache.tree/2`."
  @spec read(HfHub.repo(), keyword()) :: {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def read(repo_id, opts) do
    opts = Options.validate!(opts, Tables.tree(), repo_id)

    with {:ok, ref} <- RepoRef.resolve(repo_id, opts),
         {:ok, commit} <- commit(ref, opts),
         {:ok, files} <- files(Path.join([folder(ref, opts), "trees", commit <> ".json"]), ref, commit) do
      {:ok, for(file <- files, entry = entry(file), below?(entry.path, ref.path), do: entry)}
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
      else: Path.join(Engine.cache_dir(opts), Path.basename(FS.repo_path(ref.repo_id, ref.repo_type)))
  end

  defp files(path, ref, commit) do
    with {:ok, text} <- RegularFile.read(path, @largest),
         {:ok, %{"format_version" => @version, "files" => %{} = files}} <- Native.run(:parse_json, text) do
      {:ok, Enum.sort(files)}
    else
      # Also one that is damaged, or of a newer format: the next download requests it again.
      _none -> {:error, not_cached(ref, commit)}
    end
  end

  defp not_cached(ref, commit) do
    message =
      "the listing of #{inspect(ref.repo_id)} at #{commit} is not in the cache; snapshot downloads store it"

    Error.new(:not_cached, message, repo_id: ref.repo_id, revision: commit)
  end

  defp entry({path, %{"size" => size, "blob_id" => blob_id} = file}) do
    lfs = if sha256 = file["lfs_sha256"], do: %LfsInfo{sha256: sha256, size: file["lfs_size"]}
    %TreeEntry{type: :file, path: path, size: size, oid: blob_id, lfs: lfs, xet_hash: file["xet_hash"]}
  end

  defp below?(_path, nil), do: true
  defp below?(path, folder), do: path == folder or String.starts_with?(path, folder <> "/")
end
