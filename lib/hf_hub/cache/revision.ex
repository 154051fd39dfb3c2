defmodule HfHub.Cache.Revision do
  @moduledoc """
  A cached revision: the files of one commit. Python: `CachedRevisionInfo`.
  """

  alias HfHub.Brief
  alias HfHub.Cache.File

  use HfHub.Schema,
    commit_hash: {:string, "commit"},
    snapshot_path: {:path, "path of the folder of the files"},
    files: {[File], "files, sorted by path", default: []},
    refs:
      {[:string], "names of the branches and tags that point to it; without any it is *detached*",
       default: []},
    size_on_disk: {:integer, "total size of its blobs, in bytes"},
    last_modified: {:microseconds, "time of the last write to one of its blobs"},
    last_used:
      {:microseconds,
       "latest of these times: a download or cache hit of this library (to the hour), a lease, a write to one of its " <>
         "blobs, and a read of one, if the file system records access times"},
    pinned?: {:pinned, :boolean, "whether it is pinned (`HfHub.Cache.pin/2`)", default: false},
    leased?:
      {:leased, :boolean, "whether a process holds a lease of it (`HfHub.Cache.lease/2`)", default: false}

  defimpl Inspect do
    def inspect(revision, _opts) do
      refs = if revision.refs == [], do: "detached", else: Enum.join(revision.refs, " ")
      marks = for {true, mark} <- [{revision.pinned?, ", pinned"}, {revision.leased?, ", leased"}], do: mark

      "#HfHub.Cache.Revision<#{String.slice(revision.commit_hash, 0, 8)} (#{refs}), " <>
        "#{Brief.count(length(revision.files), "files")}, #{Brief.size(revision.size_on_disk)}#{marks}>"
    end
  end
end
