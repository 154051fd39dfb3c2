defmodule HfHub.Api.TreeEntry do
  @moduledoc """
  A file or folder of a repository. Python: `RepoFile` and `RepoFolder`.

    * `:type` - `:file` or `:directory`
    * `:path` - in the repository
    * `:oid` - the git object id of the file (of an LFS file: of its pointer) or of the folder
    * `:size` - bytes of the content; 0 of a folder
    * `:lfs` - of LFS files a map with `"oid"` (SHA-256), `"size"`, `"pointerSize"`
    * `:xet_hash`
    * `:last_commit`, `:security` - with `expand: true`
  """

  alias HfHub.Decode

  @fields [
    type: {"type", &__MODULE__.type/1},
    path: "path",
    oid: "oid",
    size: "size",
    lfs: "lfs",
    xet_hash: "xetHash",
    last_commit: "lastCommit",
    security: "securityFileStatus"
  ]

  @type t :: %__MODULE__{
          type: :file | :directory | String.t(),
          path: String.t(),
          oid: String.t(),
          size: non_neg_integer(),
          lfs: map() | nil,
          xet_hash: String.t() | nil,
          last_commit: map() | nil,
          security: map() | nil
        }

  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  @doc false
  def type(type), do: Decode.enum([:file, :directory]).(type)
end
