defmodule HfHub.Cache.Deletion do
  @moduledoc """
  What was removed from a cache or, for a dry run, what would be removed. Python: `DeleteCacheStrategy`.
  """

  @kept [{:keys, [repo_path: :path, commit: {:or, [:string, nil]}, reason: {:or, [:pinned, :in_use]}]}]

  use HfHub.Schema,
    dry_run?: {:dry_run, :boolean, "whether this is the result of a dry run", default: false},
    expected_freed_size: {:integer, "bytes that the removal was expected to free", default: 0},
    freed_size: {:integer, "bytes that were freed; 0 for a dry run", default: 0},
    repos: {[:removed, :repo], [:path], "paths of removed repositories", default: []},
    snapshots: {[:removed, :revision], [:path], "paths of removed revisions", default: []},
    refs: {[:removed, :ref], [:path], "paths of removed branches and tags", default: []},
    blobs: {[:removed, :blob], [:path], "paths of removed blobs", default: []},
    shared_blobs:
      {[:removed, :shared_blob], [:path], "paths of removed blobs in the shared store", default: []},
    partials: {[:removed, :partial], [:path], "paths of removed partial files", default: []},
    temporaries: {[:removed, :temporary], [:path], "paths of removed temporary files", default: []},
    links: {[:removed, :link], [:path], "paths of removed broken links", default: []},
    kept: {@kept, "revisions that were kept, and the reason", default: []},
    failures:
      {[{:field, :message}], "messages about files that could not be removed, such as those of another user",
       default: []},
    unknown: {[:string], "given commits that no repository has", default: []}

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
            do: ", #{HfHub.Brief.count(count, to_string(field))}"

      "#HfHub.Cache.Deletion<#{what} #{HfHub.Brief.size(size)}#{counts}>"
    end
  end
end
