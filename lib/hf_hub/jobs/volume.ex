defmodule HfHub.Jobs.Volume do
  @moduledoc """
  A repository or a bucket that is mounted in the container of a job. Python: `Volume`.
  """

  use HfHub.Schema,
    type: {"type", {:enum, [:model, :dataset, :space, :bucket]}, "type of the source", default: :model},
    source: {"source", :name, "id of the repository or bucket"},
    mount_path: {"mountPath", :string, "path in the container, such as `\"/data\"`"},
    revision: {"revision", :string, "revision of the repository"},
    read_only: {"readOnly", :boolean, "whether it can only be read"},
    path: {"path", :string, "folder in the source that is mounted"}
end
