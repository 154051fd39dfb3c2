defmodule HfHub.Buckets.Event do
  @moduledoc """
  An event of `HfHub.Buckets.events/2`.

    * `:changes` - files were added, updated or deleted
    * `:ready` - all changes since the given position were returned; those that follow are new
    * `:reset` - the Hub no longer has the changes since the given position, so the files have to be listed again
  """

  alias HfHub.Buckets.Change

  use HfHub.Schema,
    type: {{:or, [:changes, :ready, :reset]}, "kind of the event"},
    changes: {[Change], "changes of files", default: []},
    cursor: {{:or, [:string, nil]}, "position after the event, for the option `:cursor` of a later call"},
    reason: {{:or, [:string, nil]}, "reason of a reset"}
end
