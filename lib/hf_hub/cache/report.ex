defmodule HfHub.Cache.Report do
  @moduledoc """
  What `HfHub.Cache.scan/1` finds. Python: `HFCacheInfo`.

    * `:cache_dir` - the cache
    * `:size_on_disk` - bytes of all contents, each once, also where repositories share one
    * `:repos` - `HfHub.Cache.Repo`s, sorted by folder
    * `:incomplete_files` - `%{file_path, size_on_disk}` of what interrupted downloads have left; the next
      download goes on with it, `HfHub.Cache.prune/1` removes it
    * `:incomplete_size` - bytes on disk of those, which may be less than their lengths; not in `:size_on_disk`,
      as in Python
    * `:unreferenced_blobs` - the same of contents in the shared store that no repository uses
    * `:warnings` - `%{reason, path, message}` of what is wrong; a repository with something wrong is not
      in `:repos`. Reasons: `:not_a_folder`, `:not_a_repo`, `:no_snapshots`, `:refs_not_a_folder`,
      `:unreadable`, `:stray_file`, `:missing_blob`, `:dangling_ref`
  """

  alias HfHub.{Brief, Cache}

  @type leftover :: %{file_path: Path.t(), size_on_disk: non_neg_integer()}
  @type warning :: %{reason: atom(), path: Path.t(), message: String.t()}

  @type t :: %__MODULE__{
          cache_dir: Path.t(),
          size_on_disk: non_neg_integer(),
          repos: [Cache.Repo.t()],
          incomplete_files: [leftover()],
          incomplete_size: non_neg_integer(),
          unreferenced_blobs: [leftover()],
          warnings: [warning()]
        }

  defstruct [
    :cache_dir,
    size_on_disk: 0,
    repos: [],
    incomplete_files: [],
    incomplete_size: 0,
    unreferenced_blobs: [],
    warnings: []
  ]

  @doc false
  def from_native(report) do
    struct!(__MODULE__, %{report | repos: Enum.map(report.repos, &Cache.Repo.from_native/1)})
  end

  @doc false
  def incomplete(%{incomplete_size: 0}), do: ""
  def incomplete(%{incomplete_size: size}), do: " and #{Brief.size(size)} incomplete"

  @doc false
  def stats(%__MODULE__{} = report) do
    repos =
      for repo <- Enum.sort_by(report.repos, & &1.size_on_disk, :desc) do
        %{
          repo_id: repo.repo_id,
          repo_type: repo.repo_type,
          size: repo.size_on_disk,
          file_count: repo.nb_files,
          last_accessed: repo.last_accessed
        }
      end

    %{
      total_size: report.size_on_disk,
      file_count: repos |> Enum.map(& &1.file_count) |> Enum.sum(),
      repos: repos
    }
  end

  defimpl Inspect do
    def inspect(report, _opts) do
      revisions = report.repos |> Enum.map(&length(&1.revisions)) |> Enum.sum()

      "#HfHub.Cache.Report<#{length(report.repos)} repos, #{revisions} revisions, " <>
        "#{Brief.size(report.size_on_disk)}#{Cache.Report.incomplete(report)}, #{length(report.warnings)} warnings>"
    end
  end
end
