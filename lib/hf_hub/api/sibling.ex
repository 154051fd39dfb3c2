defmodule HfHub.Api.Sibling do
  @moduledoc """
  A file in the information about a repository or in the list of its files. Python: `RepoSibling`.

  In the information about a repository, all fields but `:rfilename` are `nil` without `files_metadata: true`.
  """

  alias HfHub.Api.LfsInfo

  use HfHub.Schema,
    rfilename: {{:or, ["rfilename", "path"]}, :name, "path in the repository"},
    size: {"size", :integer, "size in bytes"},
    blob_id: {{:or, ["blobId", "oid"]}, :string, "git object id of the file"},
    lfs: {"lfs", LfsInfo, "content of a file stored with Git LFS"}
end
