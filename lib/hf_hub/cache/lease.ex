defmodule HfHub.Cache.Lease do
  @moduledoc """
  A lease, which protects a cached revision from removal; see `HfHub.Cache.lease/2`.
  """

  @derive {Inspect, except: [:handle]}
  @enforce_keys [:path, :commit, :repo_id, :repo_type, :handle]

  use HfHub.Schema,
    path: {:path, "path of the folder of the revision's files"},
    commit: {:string, "commit of the revision"},
    repo_id: {:string, "id of the repository"},
    repo_type: {{:or, [:model, :dataset, :space]}, "type of the repository"},
    handle: {:reference, "handle of the lock", json: false}
end
