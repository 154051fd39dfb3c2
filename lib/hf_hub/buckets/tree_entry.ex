defmodule HfHub.Buckets.TreeEntry do
  @moduledoc """
  A file or folder of a bucket. Python: `BucketFile` and `BucketFolder`.
  """

  use HfHub.Schema,
    type: {"type", {:enum, [:file, folder: "directory"]}, "kind of the entry"},
    path: {"path", :name, "path in the bucket"},
    size: {"size", :integer, "size of the content in bytes; `nil` for a folder"},
    xet_hash: {"xetHash", :string, "Xet hash of the content of a file"},
    mtime: {"mtime", :datetime, "time at which the file was changed before it was uploaded"},
    uploaded_at: {"uploadedAt", :datetime, "time of the upload"},
    content_type: {"contentType", :string, "media type of a file, where the Hub returns it"}

  HfHub.Schema.from_response("""
      iex> HfHub.Buckets.TreeEntry.from_response(%{"type" => "directory", "path" => "logs"}).type
      :folder
  """)
end
