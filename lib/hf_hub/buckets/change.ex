defmodule HfHub.Buckets.Change do
  @moduledoc """
  A change of a file in a bucket. Python: `BucketFileChange`.

  A field of an `:update` that is `nil` has not changed.
  """

  use HfHub.Schema,
    path: {"path", :name, "path in the bucket"},
    op: {"op", {:enum, [:add, :update, :delete]}, "kind of the change"},
    size: {"size", :integer, "size of the content in bytes"},
    xet_hash: {"xetHash", :string, "Xet hash of the content"},
    mtime: {"mtime", :datetime, "time at which the file was changed before it was uploaded"},
    uploaded_at: {"uploadedAt", :datetime, "time of the upload"}
end
