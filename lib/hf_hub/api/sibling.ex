defmodule HfHub.Api.Sibling do
  @moduledoc """
  A file in the information about a repository. Python: `RepoSibling`.
  """

  alias HfHub.Api.LfsInfo

  use HfHub.Schema,
    filename: {"rfilename", :name, "path in the repository; Python's `rfilename`"},
    size: {"size", :integer, "size in bytes; with `files_metadata: true`"},
    blob_id: {"blobId", :string, "git object id of the file; with `files_metadata: true`"},
    lfs: {"lfs", LfsInfo, "content of a file stored with Git LFS; with `files_metadata: true`"}
end
