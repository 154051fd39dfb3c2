defmodule HfHub.Api.Sibling do
  @moduledoc """
  A file as a repository's information lists it. Python: `RepoSibling`.

    * `:filename` - its path in the repository; Python's `rfilename`
    * `:size`, `:blob_id` - with `files_metadata: true`
    * `:lfs` - with `files_metadata: true` a `HfHub.Api.LfsInfo` where the file is stored with Git LFS
  """

  alias HfHub.Api.LfsInfo
  alias HfHub.Decode

  @fields [
    filename: {"rfilename", &Decode.text/1},
    size: "size",
    blob_id: "blobId",
    lfs: {"lfs", &__MODULE__.lfs/1}
  ]

  @type t :: %__MODULE__{
          filename: String.t(),
          size: non_neg_integer() | nil,
          blob_id: String.t() | nil,
          lfs: LfsInfo.t() | nil
        }

  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  @doc false
  def list(items), do: Decode.list_or_nil(&from_json/1).(items)

  @doc false
  def lfs(json), do: LfsInfo.from_json(json, "sha256")
end
