defmodule HfHub.Cache.Deletion do
  @moduledoc """
  What was removed from a cache or, of a dry run, what would be. Python: `DeleteCacheStrategy`.
  """

  @kept [{:keys, [repo_path: :path, commit: {:or, [:string, nil]}, reason: {:or, [:pinned, :in_use]}]}]

  use HfHub.Schema,
    dry_run?: {:dry_run, :boolean, "whether nothing was removed", default: false},
    expected_freed_size: {:integer, "bytes that were to be freed", default: 0},
    freed_size: {:integer, "bytes that were freed; 0 for a dry run", default: 0},
    repos: {[:removed, :repo], [:path], "paths of removed repositories", default: []},
    snapshots: {[:removed, :revision], [:path], "paths of removed revisions", default: []},
    refs: {[:removed, :ref], [:path], "paths of removed branches and tags", default: []},
    blobs: {[:removed, :blob], [:path], "paths of removed contents", default: []},
    shared_blobs:
      {[:removed, :shared_blob], [:path], "paths of removed contents in the shared store", default: []},
    partials: {[:removed, :partial], [:path], "paths of removed partial files", default: []},
    temporaries: {[:removed, :temporary], [:path], "paths of other leftovers of interruptions", default: []},
    links: {[:removed, :link], [:path], "paths of removed links without a target", default: []},
    kept: {@kept, "what had to stay, and why", default: []},
    failures:
      {[{:field, :message}], "a sentence for each thing that could not be removed, such as another user's",
       default: []},
    unknown: {[:string], "requested commits that are in no repository", default: []}

  defimpl Inspect do
    def inspect(deletion, _opts) do
      {what, size} =
        if deletion.dry_run?,
          do: {"would free", deletion.expected_freed_size},
          else: {"freed", deletion.freed_size}

      counts =
        for field <- [:repos, :snapshots, :partials, :kept, :failures, :unknown],
            count = length(Map.fetch!(deletion, field)),
            count > 0,
            do: ", #{count} #{field}"

      "#HfHub.Cache.Deletion<#{what} #{HfHub.Brief.size(size)}#{counts}>"
    end
  end
end
