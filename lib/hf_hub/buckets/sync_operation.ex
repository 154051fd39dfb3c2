defmodule HfHub.Buckets.SyncOperation do
  @moduledoc """
  What a synchronization does with a file. Python: `SyncOperation`.
  """

  use HfHub.Schema,
    action: {"action", {:enum, [:upload, :download, :delete, :skip]}, "what is done"},
    path: {"path", :name, "path below both places"},
    reason: {"reason", :string, "reason, such as \"new file\" or \"size differs\""},
    size: {"size", :integer, "size of the content in bytes"},
    local_mtime: {"local_mtime", :datetime, "time of the file on this machine"},
    remote_mtime: {"remote_mtime", :datetime, "time of the file in the bucket"}
end
