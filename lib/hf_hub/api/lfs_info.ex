defmodule HfHub.Api.LfsInfo do
  @moduledoc """
  A file that is stored with Git LFS. Python: `BlobLfsInfo`.

    * `:sha256` - of the content
    * `:size` - of the content, in bytes
    * `:pointer_size` - of the pointer that git holds in its place
  """

  alias HfHub.Decode

  @type t :: %__MODULE__{
          sha256: String.t() | nil,
          size: non_neg_integer() | nil,
          pointer_size: non_neg_integer() | nil
        }

  defstruct [:sha256, :size, :pointer_size]

  # A tree calls the hash "oid", a repository's information calls it "sha256".
  @doc false
  def from_json(json, hash) do
    fields = [sha256: hash, size: "size", pointer_size: "pointerSize"]
    Decode.optional(&Decode.struct(&1, __MODULE__, fields)).(json)
  end
end
