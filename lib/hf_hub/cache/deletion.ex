defmodule HfHub.Cache.Deletion do
  @moduledoc """
  What was removed from a cache or, of a dry run, what would be. Python: `DeleteCacheStrategy`.

    * `:dry_run?` - whether nothing was done
    * `:expected_freed_size` - bytes that were to be freed
    * `:freed_size` - bytes that have been freed; 0 of a dry run
    * `:repos`, `:snapshots`, `:refs`, `:blobs`, `:shared_blobs` - paths of what went
    * `:partials`, `:temporaries`, `:links` - paths of what interruptions had left, and of links into nowhere
    * `:kept` - `%{repo_path, commit, reason}` of what had to stay, because it is `:pinned` or `:in_use`
    * `:failures` - a sentence for each thing that could not be removed: another user's, a read-only part
    * `:unknown` - commits that were asked for and are in no repository
  """

  @type kept :: %{repo_path: Path.t(), commit: String.t() | nil, reason: :pinned | :in_use}

  @type t :: %__MODULE__{
          dry_run?: boolean(),
          expected_freed_size: non_neg_integer(),
          freed_size: non_neg_integer(),
          repos: [Path.t()],
          snapshots: [Path.t()],
          refs: [Path.t()],
          blobs: [Path.t()],
          shared_blobs: [Path.t()],
          partials: [Path.t()],
          temporaries: [Path.t()],
          links: [Path.t()],
          kept: [kept()],
          failures: [String.t()],
          unknown: [String.t()]
        }

  defstruct dry_run?: false,
            expected_freed_size: 0,
            freed_size: 0,
            repos: [],
            snapshots: [],
            refs: [],
            blobs: [],
            shared_blobs: [],
            partials: [],
            temporaries: [],
            links: [],
            kept: [],
            failures: [],
            unknown: []

  @kinds [
    repo: :repos,
    revision: :snapshots,
    ref: :refs,
    blob: :blobs,
    shared_blob: :shared_blobs,
    partial: :partials,
    temporary: :temporaries,
    link: :links
  ]

  @doc false
  def from_native(report, unknown \\ []) do
    by_kind = Enum.group_by(report.removed, & &1.kind, & &1.path)

    struct!(
      __MODULE__,
      [
        dry_run?: report.dry_run,
        expected_freed_size: report.expected_freed_size,
        freed_size: report.freed_size,
        kept: report.kept,
        failures: Enum.map(report.failures, & &1.message),
        unknown: unknown
      ] ++ for({kind, field} <- @kinds, do: {field, Map.get(by_kind, kind, [])})
    )
  end

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
