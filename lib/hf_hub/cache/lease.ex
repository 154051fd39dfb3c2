defmodule HfHub.Cache.Lease do
  @moduledoc """
  A cached revision that stays while this is held; see `HfHub.Cache.lease/2`.
  """

  @derive {Inspect, except: [:handle]}
  @enforce_keys [:path, :commit, :repo_id, :repo_type, :handle]

  use HfHub.Schema,
    path: {:path, "path of the folder with the revision's files"},
    commit: {:string, "commit of the revision"},
    repo_id: {:string, "id of the repository"},
    repo_type: {{:or, [:model, :dataset, :space]}, "type of the repository"},
    handle: {:reference, "lock that is held"}
end
