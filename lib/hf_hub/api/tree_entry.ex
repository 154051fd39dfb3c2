defmodule HfHub.Api.TreeEntry do
  @moduledoc """
  A file or folder of a repository. Python: `RepoFile` and `RepoFolder`.

    * `:type` - `:file` or `:directory`
    * `:path` - in the repository
    * `:oid` - the git object id of the file (of an LFS file: of its pointer) or of the folder; Python's
      `blob_id` and `tree_id`
    * `:size` - bytes of the content; 0 of a folder
    * `:lfs` - of LFS files a `HfHub.Api.LfsInfo`
    * `:xet_hash` - of files in Xet storage
    * `:last_commit` - with `expand: true` a `HfHub.Api.LastCommit`
    * `:security` - with `expand: true` a `HfHub.Api.SecurityInfo`, of files that have been scanned
  """

  alias HfHub.Api.{LastCommit, LfsInfo, SecurityInfo}
  alias HfHub.Decode

  @fields [
    type: {"type", &__MODULE__.type/1},
    path: {"path", &Decode.text/1},
    oid: "oid",
    size: "size",
    lfs: {"lfs", &__MODULE__.lfs/1},
    xet_hash: "xetHash",
    last_commit: {"lastCommit", &LastCommit.from_json/1},
    security: {"securityFileStatus", &SecurityInfo.from_json/1}
  ]

  @type t :: %__MODULE__{
          type: :file | :directory | String.t(),
          path: String.t(),
          oid: String.t(),
          size: non_neg_integer(),
          lfs: LfsInfo.t() | nil,
          xet_hash: String.t() | nil,
          last_commit: LastCommit.t() | nil,
          security: SecurityInfo.t() | nil
        }

  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  @doc false
  def type(type), do: Decode.enum([:file, :directory]).(type)

  @doc false
  def lfs(json), do: LfsInfo.from_json(json, "oid")
end
