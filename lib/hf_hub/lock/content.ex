defmodule HfHub.Lock.Content do
  # Compares files in the cache with the hashes of a lock file, and downloads those that are missing.
  @moduledoc false

  alias HfHub.{Cache, Download, Error, Fnmatch, FS, Native}
  alias HfHub.Cache.Engine
  alias HfHub.Download.Cached
  alias HfHub.Lock.{Entry, PinnedFile, Pinning, Snapshot, Text}

  @download Keyword.keys(HfHub.Options.transfer()) ++ [:max_workers, :progress]

  @doc "Returns the files of an entry in the cache, after downloading those that are missing."
  @spec get(Entry.t(), keyword()) :: {:ok, Snapshot.t()} | {:error, Error.t()}
  def get(entry, opts) do
    with {:ok, missing} <- missing(entry, opts, :by_name),
         :ok <- fetch(entry, missing, opts),
         # Also what another client has put there meanwhile.
         {:ok, []} <- missing(%{entry | files: missing}, opts, :by_name) do
      {:ok, snapshot(entry, missing, opts)}
    else
      {:ok, [file | _more]} -> {:error, not_cached(entry, [file])}
      {:error, error} -> {:error, error}
    end
  end

  @doc "Returns the files of an entry in the cache after hashing all of them."
  @spec verify(Entry.t(), keyword()) :: {:ok, Snapshot.t()} | {:error, Error.t()}
  def verify(entry, opts) do
    case missing(entry, opts, :by_content) do
      {:ok, []} -> {:ok, snapshot(entry, [], opts)}
      {:ok, missing} -> {:error, not_cached(entry, missing)}
      {:error, error} -> {:error, error}
    end
  end

  @doc "Returns the path of a pinned file in the cache; `nil` if it is not there."
  @spec path(Entry.t(), PinnedFile.t(), keyword()) :: Path.t() | nil
  def path(entry, file, opts) do
    place = [repo_id: entry.repo_id, repo_type: entry.repo_type, revision: entry.commit]

    case Cache.cache_path(place ++ [filename: file.path, cache_dir: Engine.cache_dir(opts)]) do
      {:ok, path} -> path
      {:error, _error} -> nil
    end
  end

  @doc "Returns the folder of an entry's commit below a cache folder."
  @spec folder(Entry.t(), Path.t()) :: Path.t()
  def folder(entry, cache_dir) do
    repo = FS.repo_folder(entry.repo_id, entry.repo_type)
    Path.join([cache_dir, repo, "snapshots", entry.commit])
  end

  defp snapshot(entry, downloaded, opts) do
    %Snapshot{
      repo_type: entry.repo_type,
      repo_id: entry.repo_id,
      commit: entry.commit,
      path: folder(entry, Engine.cache_dir(opts)),
      downloaded: Enum.map(downloaded, & &1.path)
    }
  end

  # A file with wrong content is an error, and is not replaced: other clients may use it.
  defp missing(entry, opts, how) do
    entry.files
    |> Enum.reduce_while({:ok, []}, fn file, {:ok, missing} ->
      case state(entry, file, opts, how) do
        :right -> {:cont, {:ok, missing}}
        :missing -> {:cont, {:ok, [file | missing]}}
        {:wrong, found} -> {:halt, {:error, Pinning.mismatch(entry, file, found, :cache)}}
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
    |> in_order()
  end

  defp in_order({:ok, missing}), do: {:ok, Enum.reverse(missing)}
  defp in_order(error), do: error

  defp state(entry, file, opts, how) do
    with path when path != nil <- path(entry, file, opts),
         {:ok, %{size: size}} <- File.stat(path) do
      if size == file.size and how == :by_name and named?(path, file),
        do: :right,
        else: hashed(path, size, file)
    else
      _not_there -> :missing
    end
  end

  # The name of a blob is the hash by which its content was verified when it was stored.
  defp named?(path, file) do
    case File.read_link(path) do
      {:ok, target} -> Path.basename(target) == file.hash
      {:error, _no_link} -> false
    end
  end

  defp hashed(path, size, file) do
    with {:ok, hash} <- Native.run(:hash_file, %{path: path, algorithm: file.algorithm}) do
      if hash == file.hash and size == file.size, do: :right, else: {:wrong, %{file | hash: hash, size: size}}
    end
  end

  defp fetch(_entry, [], _opts), do: :ok

  defp fetch(entry, missing, opts) do
    if Cached.only?(opts) do
      {:error, not_cached(entry, missing)}
    else
      # Before a byte is downloaded: a large file with a wrong hash would be of no use.
      with :ok <- Pinning.compare(entry, missing, opts), do: download(entry, missing, opts)
    end
  end

  defp download(entry, missing, opts) do
    place = [repo_id: entry.repo_id, repo_type: entry.repo_type, revision: entry.commit]
    patterns = Enum.map(missing, &Fnmatch.literal(&1.path))
    more = opts |> Keyword.take(@download) |> HfHub.Options.given()

    case Download.snapshot_download(
           place ++ [cache_dir: Engine.cache_dir(opts), allow_patterns: patterns] ++ more
         ) do
      {:ok, _folder} -> :ok
      {:error, error} -> {:error, error}
    end
  end

  defp not_cached(entry, [first | more]) do
    others = if more == [], do: "", else: " and #{length(more)} more"

    message =
      "#{inspect(first.path)}#{others} of #{Text.name(entry)} at #{String.slice(entry.commit, 0, 8)}: not in the cache; " <>
        "run `mix hf_hub.get` where the network may be used"

    Error.new(:not_cached, message, repo_id: entry.repo_id, path: first.path, revision: entry.commit)
  end
end
