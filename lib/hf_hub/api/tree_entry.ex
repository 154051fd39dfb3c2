defmodule HfHub.Api.TreeEntry do
  @moduledoc """
  A file or folder of a repository. Python: `RepoFile` and `RepoFolder`.
  """

  alias HfHub.Api.{LastCommit, LfsInfo, SecurityInfo}

  use HfHub.Schema,
    type: {"type", {:enum, [:file, folder: "directory"]}, "kind of the entry"},
    path: {"path", :name, "path in the repository"},
    oid:
      {"oid", :string,
       "git object id of the file (of an LFS file: of its pointer) or of the folder; Python's `blob_id` and `tree_id`"},
    size: {"size", :integer, "size of the content in bytes; 0 for a folder"},
    lfs: {"lfs", LfsInfo, "content of a file stored with Git LFS"},
    xet_hash: {"xetHash", :string, "Xet hash of a file in Xet storage"},
    last_commit: {"lastCommit", LastCommit, "last commit that touched the entry; with `expand: true`"},
    security: {"securityFileStatus", SecurityInfo, "results of the scans of a file; with `expand: true`"}
end
