defmodule HfHub.Preload.Status do
  @moduledoc """
  The state of a `HfHub.Preload`, as `HfHub.Preload.status/1` returns it.
  """

  use HfHub.Schema,
    state: {{:or, [:loading, :ready, :failed]}, "`:failed` after the last attempt", default: :loading},
    paths:
      {{:map, :path}, "folders of the repositories that are loaded, with the keys of `HfHub.Preload.await/2`",
       default: %{}},
    repo_id: {{:or, [:string, nil]}, "repository that is being loaded"},
    progress: {{:or, [HfHub.Progress, nil]}, "progress of that repository"},
    attempt: {:integer, "number of the current or last attempt", default: 1},
    error: {{:or, [HfHub.Error, nil]}, "error of the last failed attempt"}
end
