defmodule HfHub.Cache.File do
  @moduledoc """
  A file of a cached revision. Python: `CachedFileInfo`.

    * `:file_name` - its name, without folders
    * `:file_path` - where it is, below the revision's `:snapshot_path`
    * `:blob_path` - its content, to which `:file_path` usually is a link
    * `:size_on_disk` - bytes
    * `:blob_last_accessed`, `:blob_last_modified` - `DateTime` in UTC; the first as far as the
      file system keeps it
  """

  alias HfHub.Brief

  @type t :: %__MODULE__{
          file_name: String.t(),
          file_path: Path.t(),
          blob_path: Path.t(),
          size_on_disk: non_neg_integer(),
          blob_last_accessed: DateTime.t(),
          blob_last_modified: DateTime.t()
        }

  defstruct [:file_name, :file_path, :blob_path, :size_on_disk, :blob_last_accessed, :blob_last_modified]

  defimpl Inspect do
    def inspect(file, _opts),
      do: "#HfHub.Cache.File<#{file.file_name}, #{Brief.size(file.size_on_disk)}>"
  end
end
