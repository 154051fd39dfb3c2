defmodule HfHub.Cache.Report do
  @moduledoc """
  The result of `HfHub.Cache.scan/1`. Python: `HFCacheInfo`.
  """

  alias HfHub.Brief
  alias HfHub.Cache.Repo

  @leftovers [{:keys, [file_path: :path, size_on_disk: :integer]}]
  @warnings [{:keys, [reason: :atom, path: :path, message: :string]}]

  use HfHub.Schema,
    cache_dir: {:path, "path of the cache"},
    size_on_disk:
      {:integer, "total size of all blobs, in bytes; a blob that several repositories share counts once",
       default: 0},
    repos: {[Repo], "repositories, sorted by folder", default: []},
    incomplete_files:
      {@leftovers,
       "partial files of interrupted downloads; the next download resumes them, and `HfHub.Cache.prune/1` removes them",
       default: []},
    incomplete_size:
      {:integer,
       "bytes on disk of the partial files, which may be less than their lengths; as in the Python client, not part of " <>
         "`:size_on_disk`", default: 0},
    unreferenced_blobs: {@leftovers, "blobs in the shared store that no repository uses", default: []},
    warnings:
      {@warnings,
       "problems; a damaged repository is not in `:repos`. Reasons: `:not_a_folder`, `:not_a_repo`, " <>
         "`:no_snapshots`, `:refs_not_a_folder`, `:unreadable`, `:stray_file`, `:missing_blob`, `:dangling_ref`. A " <>
         "revision of `:old_layout` has files of hf_hub 0.3, which `HfHub.Cache.adopt/1` adopts; `:cache_below` is a " <>
         "cache in this one's folder, where hf_hub 0.3 stored files", default: []}

  defimpl Inspect do
    def inspect(report, _opts) do
      revisions = report.repos |> Enum.map(&length(&1.revisions)) |> Enum.sum()

      "#HfHub.Cache.Report<#{Brief.count(length(report.repos), "repos")}, #{Brief.count(revisions, "revisions")}, " <>
        "#{Brief.size(report.size_on_disk)}#{Brief.incomplete(report)}, #{Brief.count(length(report.warnings), "warnings")}>"
    end
  end
end
