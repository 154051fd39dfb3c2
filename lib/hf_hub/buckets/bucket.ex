defmodule HfHub.Buckets.Bucket do
  @moduledoc """
  A bucket. Python: `BucketInfo`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    id: {"id", :name, "id of the bucket: namespace and name"},
    author: {"author", :string, "name of the user or organization that owns it"},
    private: {"private", :boolean, "whether only its owners can read it"},
    size: {"size", :integer, "size of all files in bytes"},
    total_files: {"totalFiles", :integer, "number of files"},
    created_at: {"createdAt", :datetime, "time of creation"},
    updated_at: {"updatedAt", :datetime, "time of the last change"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> HfHub.Buckets.Bucket.from_response(%{"id" => "me/data", "totalFiles" => 12}).total_files
      12
  """)

  defimpl Inspect do
    def inspect(bucket, _opts),
      do: Brief.line(bucket, [bucket.id, {bucket.total_files, "files"}, {bucket.size, "bytes"}])
  end
end
