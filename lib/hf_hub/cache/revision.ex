defmodule HfHub.Cache.Revision do
  @moduledoc """
  A cached revision: the files of one commit. Python: `CachedRevisionInfo`.

    * `:commit_hash`, `:snapshot_path`
    * `:files` - `HfHub.Cache.File`s, sorted by path
    * `:refs` - names of the branches and tags that stand for it; without any it is *detached*
    * `:size_on_disk` - bytes, each content once
    * `:last_modified` - when one of its contents was last written
    * `:last_used` - when it was last downloaded or found in the cache by this library (to the hour), leased, or
      one of its contents written, or read by anybody as far as the file system keeps that
    * `:pinned?` - whether it must stay (`HfHub.Cache.pin/2`)
    * `:leased?` - whether a process holds it (`HfHub.Cache.lease/2`)
  """

  alias HfHub.{Brief, Cache}

  @type t :: %__MODULE__{
          commit_hash: String.t(),
          snapshot_path: Path.t(),
          files: [Cache.File.t()],
          refs: [String.t()],
          size_on_disk: non_neg_integer(),
          last_modified: DateTime.t(),
          last_used: DateTime.t(),
          pinned?: boolean(),
          leased?: boolean()
        }

  defstruct [
    :commit_hash,
    :snapshot_path,
    :size_on_disk,
    :last_modified,
    :last_used,
    files: [],
    refs: [],
    pinned?: false,
    leased?: false
  ]

  @doc false
  def from_native(revision) do
    %__MODULE__{
      commit_hash: revision.commit_hash,
      snapshot_path: revision.snapshot_path,
      size_on_disk: revision.size_on_disk,
      last_modified: revision.last_modified,
      last_used: revision.last_used,
      files: revision.files,
      refs: revision.refs,
      pinned?: revision.pinned,
      leased?: revision.leased
    }
  end

  defimpl Inspect do
    def inspect(revision, _opts) do
      refs = if revision.refs == [], do: "detached", else: Enum.join(revision.refs, " ")
      marks = for {true, mark} <- [{revision.pinned?, ", pinned"}, {revision.leased?, ", leased"}], do: mark

      "#HfHub.Cache.Revision<#{String.slice(revision.commit_hash, 0, 8)} (#{refs}), " <>
        "#{length(revision.files)} files, #{Brief.size(revision.size_on_disk)}#{marks}>"
    end
  end
end
