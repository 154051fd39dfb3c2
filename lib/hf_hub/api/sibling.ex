defmodule HfHub.Api.Sibling do
  @moduledoc """
  A file as a repository's information lists it. Python: `RepoSibling`.

    * `:filename` - its path in the repository
    * `:size`, `:blob_id`, `:lfs` - with `files_metadata: true`; `:lfs` is a map with `"sha256"`, `"size"`
      and `"pointerSize"`, or `nil`
  """

  alias HfHub.Decode

  @fields [filename: "rfilename", size: "size", blob_id: "blobId", lfs: "lfs"]

  @type t :: %__MODULE__{
          filename: String.t(),
          size: non_neg_integer() | nil,
          blob_id: String.t() | nil,
          lfs: map() | nil
        }

  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)
end
