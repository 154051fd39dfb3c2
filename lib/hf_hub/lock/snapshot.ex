defmodule HfHub.Lock.Snapshot do
  @moduledoc """
  The files of a pinned repository in the cache, all of them verified: a result of `HfHub.Lock.get/1`.
  """

  use HfHub.Schema,
    repo_type: {{:or, [:model, :dataset, :space]}, "type of the repository"},
    repo_id: {:string, "id of the repository"},
    commit: {:string, "pinned commit"},
    path: {:path, "folder of the files"},
    downloaded: {[:string], "paths of the files that were missing before the call", default: []}
end
