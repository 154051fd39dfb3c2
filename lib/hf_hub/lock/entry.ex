defmodule HfHub.Lock.Entry do
  @moduledoc """
  A pinned repository: one entry of a lock file. See `HfHub.Lock`.
  """

  alias HfHub.Lock.PinnedFile

  use HfHub.Schema,
    repo_type: {{:or, [:model, :dataset, :space]}, "type of the repository"},
    repo_id: {:string, "id of the repository"},
    revision: {:string, "branch, tag or commit that an update resolves again"},
    commit: {:string, "pinned commit"},
    allow_patterns: {[:string], "patterns of the pinned files; empty for all files", default: []},
    ignore_patterns: {[:string], "patterns of files that are not pinned", default: []},
    files: {[PinnedFile], "pinned files, in the order of their paths", default: []}

  defimpl Inspect do
    def inspect(entry, _opts) do
      HfHub.Brief.line(entry, [
        "#{entry.repo_type}/#{entry.repo_id}",
        "#{entry.revision} at #{String.slice(entry.commit, 0, 8)}",
        {length(entry.files), "files"}
      ])
    end
  end
end
