defmodule HfHub.Buckets.FileMetadata do
  @moduledoc """
  The metadata of a file in a bucket. Python: `BucketFileMetadata`.
  """

  use HfHub.Schema,
    path: {:string, "path in the bucket"},
    size: {:integer, "size of the content in bytes"},
    xet_hash: {:string, "Xet hash of the content"},
    refresh_url: {{:or, [:string, nil]}, "URL of the token that reads the content from Xet storage"}
end
