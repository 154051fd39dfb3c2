defmodule HfHub.LFS do
  @moduledoc """
  Large files: those of a repository's whole history, and ids and headers of the Git LFS protocol, which transfers them.

  `HfHub.Commit` uploads them and `HfHub.Download` downloads them; use this module to see and free the storage of a
  repository, to compare files with the Hub's listings, or to talk to an LFS server yourself.

      iex> info = HfHub.LFS.UploadInfo.from_binary("hello")
      iex> {HfHub.LFS.oid(info), info.size}
      {"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", 5}
  """

  alias HfHub.{Error, Options, Request}
  alias HfHub.LFS.{FileInfo, UploadInfo}

  @media_type "application/vnd.git-lfs+json"

  # The Hub's limit of files per request.
  @batch 1000

  @doc """
  Returns the id of a file's content in LFS: its SHA-256 in lower-case hex.

  ## Examples

      iex> "" |> HfHub.LFS.UploadInfo.from_binary() |> HfHub.LFS.oid()
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  """
  @spec oid(UploadInfo.t()) :: String.t()
  def oid(%UploadInfo{sha256: sha256}), do: Base.encode16(sha256, case: :lower)

  @doc """
  Returns the SHA-256 of a file's content in lower-case hex; the same as `oid/1`.

  ## Examples

      iex> "" |> HfHub.LFS.UploadInfo.from_binary() |> HfHub.LFS.sha256_hex()
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  """
  @spec sha256_hex(UploadInfo.t()) :: String.t()
  def sha256_hex(info), do: oid(info)

  @doc """
  Returns the headers of requests to the LFS API.

  ## Examples

      iex> HfHub.LFS.lfs_headers()
      [{"Accept", "application/vnd.git-lfs+json"}, {"Content-Type", "application/vnd.git-lfs+json"}]
  """
  @doc python: "lfs.LFS_HEADERS"
  @spec lfs_headers() :: [{String.t(), String.t()}]
  def lfs_headers, do: [{"Accept", @media_type}, {"Content-Type", @media_type}]

  @stream Options.repo_type() ++ Options.common()

  @list [limit: [type: :pos_integer, doc: "Maximum number of files to return. Defaults to all."]] ++ @stream

  @delete [
            rewrite_history: [
              type: :boolean,
              default: true,
              doc:
                "Whether to make the commits of all branches, tags and pull requests again without the files. Otherwise " <>
                  "the files stay in them, and cannot be downloaded any more."
            ]
          ] ++ @stream

  @doc """
  Returns all large files that were ever uploaded to a repository, also those of old commits, newest first.

  They are what the storage of a repository consists of. The token needs write access.

  ## Options

  #{Options.docs(@list)}

  ## Examples

      {:ok, files} = HfHub.LFS.list_files("me/my-model")
      files |> Enum.map(& &1.size) |> Enum.sum()
  """
  @doc python: "list_lfs_files"
  @spec list_files(HfHub.repo(), keyword()) :: {:ok, [FileInfo.t()]} | {:error, Error.t()}
  def list_files(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @list)
    Request.list(files(repo_id, opts), opts[:limit], FileInfo)
  end

  @doc "Same as `list_files/2`, but returns the files or raises `HfHub.Error`."
  @spec list_files!(HfHub.repo(), keyword()) :: [FileInfo.t()]
  def list_files!(repo_id, opts \\ []), do: Error.unwrap!(list_files(repo_id, opts))

  @doc """
  Returns the files of `list_files/2` as a lazy stream. Options: those of `list_files/2` but `:limit`.

  ## Examples

      HfHub.LFS.stream_files("me/my-model") |> Enum.find(&(&1.size > 1_000_000_000))
  """
  @doc python: "list_lfs_files"
  @spec stream_files(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream_files(repo_id, opts \\ []),
    do: Request.stream(files(repo_id, Options.validate!(opts, @stream)), FileInfo)

  @doc """
  Deletes large files from a repository, in all commits and for good: this cannot be undone.

  The files are those of `list_files/2`, or their SHA-256 in hex. Files that the repository does not have are ignored.

  ## Options

  #{Options.docs(@delete)}

  ## Examples

      old =
        HfHub.LFS.stream_files("me/my-model")
        |> Enum.filter(&String.starts_with?(&1.filename, "checkpoints/"))

      :ok = HfHub.LFS.permanently_delete_files("me/my-model", old)
  """
  @doc python: "permanently_delete_lfs_files"
  @spec permanently_delete_files(HfHub.repo(), Enumerable.t(), keyword()) :: :ok | {:error, Error.t()}
  def permanently_delete_files(repo_id, files, opts \\ []) do
    opts = Options.validate!(opts, @delete)

    # All of them first: a list that is still being read would change with each deletion.
    files
    |> Enum.map(&file_oid!/1)
    |> Enum.chunk_every(@batch)
    |> Enum.reduce_while(:ok, fn oids, :ok ->
      result = delete_batch(repo_id, oids, opts)
      {if(result == :ok, do: :cont, else: :halt), result}
    end)
  end

  @doc "Same as `permanently_delete_files/3`, but returns `:ok` or raises `HfHub.Error`."
  @spec permanently_delete_files!(HfHub.repo(), Enumerable.t(), keyword()) :: :ok
  def permanently_delete_files!(repo_id, files, opts \\ []),
    do: Error.unwrap!(permanently_delete_files(repo_id, files, opts))

  defp files(repo_id, opts),
    do: Request.repo(:get, "/api/:types/*repo/lfs-files", repo_id, opts, scope: :whole)

  defp delete_batch(repo_id, oids, opts) do
    Request.repo(:post, "/api/:types/*repo/lfs-files/batch", repo_id, opts, scope: :whole)
    |> Request.json(%{deletions: %{sha: oids, rewriteHistory: opts[:rewrite_history]}})
    |> Request.repeatable()
    |> Request.effect()
  end

  defp file_oid!(%FileInfo{file_oid: oid}), do: oid

  defp file_oid!(oid) do
    if Options.valid_value?(oid, :sha256),
      do: String.downcase(oid),
      else: raise(ArgumentError, "expected a HfHub.LFS.FileInfo or 64 hex digits, got: #{Options.shown(oid)}")
  end
end
