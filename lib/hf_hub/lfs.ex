defmodule HfHub.LFS do
  @moduledoc """
  Ids and headers of the Git LFS protocol, which transfers large files.

  `HfHub.Commit` does this for every upload; use this module to compare files with the Hub's listings, or to talk to an
  LFS server yourself.

      iex> info = HfHub.LFS.UploadInfo.from_binary("hello")
      iex> {HfHub.LFS.oid(info), info.size}
      {"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", 5}
  """

  alias HfHub.LFS.UploadInfo

  @media_type "application/vnd.git-lfs+json"

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
end
