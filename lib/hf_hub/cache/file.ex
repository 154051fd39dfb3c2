defmodule HfHub.Cache.File do
  @moduledoc """
  A file of a cached revision. Python: `CachedFileInfo`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    file_name: {:string, "name, without folders"},
    file_path: {:path, "path below the revision's `:snapshot_path`"},
    blob_path: {:path, "path of its blob, which `:file_path` usually links to"},
    size_on_disk: {:integer, "size in bytes"},
    blob_last_accessed:
      {:microseconds, "time of the last access to the blob, in UTC; depends on the file system"},
    blob_last_modified: {:microseconds, "time of the last write to the blob, in UTC"}

  defimpl Inspect do
    def inspect(file, _opts),
      do: "#HfHub.Cache.File<#{file.file_name}, #{Brief.size(file.size_on_disk)}>"
  end
end
