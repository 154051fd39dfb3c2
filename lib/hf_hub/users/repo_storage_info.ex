defmodule HfHub.Users.RepoStorageInfo do
  @moduledoc """
  A repository with the size of its storage. Python: `RepoStorageInfo`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    id: {"id", :name, "id of the repository"},
    type: {"type", {:enum, [:model, :dataset, :space, :bucket]}, "type of the repository"},
    updated_at: {"updatedAt", :datetime, "time of the last change"},
    visibility: {"visibility", {:enum, [:public, :private, :protected]}, "who can see the repository"},
    storage: {"storage", :integer, "size in bytes"},
    storage_percent:
      {"storagePercent", :number, "share of the storage of its namespace, in percent", default: 0},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  defimpl Inspect do
    def inspect(info, _opts), do: Brief.line(info, [info.id, info.type, Brief.size(info.storage || 0)])
  end
end
