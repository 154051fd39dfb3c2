defmodule HfHub.Api.LfsInfo do
  @moduledoc """
  A file that is stored with Git LFS. Python: `BlobLfsInfo`.
  """

  # A tree calls the hash "oid", a repository's information calls it "sha256".
  use HfHub.Schema,
    sha256: {{:or, ["sha256", "oid"]}, :string, "SHA-256 of the content"},
    size: {"size", :integer, "size of the content in bytes"},
    pointer_size: {"pointerSize", :integer, "size in bytes of the pointer file that git holds in its place"}
end
