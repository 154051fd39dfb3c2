defmodule HfHub.Cache.Revision do
  @moduledoc """
  A cached revision: the files of one commit. Python: `CachedRevisionInfo`.
  """

  alias HfHub.Brief
  alias HfHub.Cache.File

  # Native code makes the files: a cache may have millions.
  use HfHub.Schema,
    commit_hash: {:string, "commit"},
    snapshot_path: {:path, "path of the folder with the files"},
    files: {{:or, [[File]]}, "files, sorted by path", default: []},
    refs:
      {[:string], "names of the branches and tags that point to it; without any it is *detached*",
       default: []},
    size_on_disk: {:integer, "size in bytes of all contents, each counted once"},
    last_modified: {:datetime, "time of the last change of one of the contents"},
    last_used:
      {:datetime,
       "time at which it was last downloaded or found in the cache by this library (to the hour) or leased, or at which " <>
         "one of its contents was written, or read by any program as far as the file system keeps that"},
    pinned?: {:pinned, :boolean, "whether it must stay (`HfHub.Cache.pin/2`)", default: false},
    leased?: {:leased, :boolean, "whether a process holds it (`HfHub.Cache.lease/2`)", default: false}

  defimpl Inspect do
    def inspect(revision, _opts) do
      refs = if revision.refs == [], do: "detached", else: Enum.join(revision.refs, " ")
      marks = for {true, mark} <- [{revision.pinned?, ", pinned"}, {revision.leased?, ", leased"}], do: mark

      "#HfHub.Cache.Revision<#{String.slice(revision.commit_hash, 0, 8)} (#{refs}), " <>
        "#{length(revision.files)} files, #{Brief.size(revision.size_on_disk)}#{marks}>"
    end
  end
end
