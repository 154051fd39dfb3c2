defmodule HfHub.Cache.Repo do
  @moduledoc """
  A cached repository. Python: `CachedRepoInfo`.

    * `:repo_id`, `:repo_type` - the type is `:model`, `:dataset`, `:space` or `:kernel`
    * `:repo_path` - its folder
    * `:size_on_disk` - bytes, each content once
    * `:nb_files` - how many contents
    * `:incomplete_size` - bytes on disk that interrupted downloads have left; not in `:size_on_disk`, as in
      Python. They go with the repository, or by `HfHub.Cache.prune/1`
    * `:revisions` - `HfHub.Cache.Revision`s
    * `:last_accessed`, `:last_modified` - of all its contents, `DateTime` in UTC
  """

  alias HfHub.{Brief, Cache}

  @type t :: %__MODULE__{
          repo_id: String.t(),
          repo_type: :model | :dataset | :space | :kernel,
          repo_path: Path.t(),
          size_on_disk: non_neg_integer(),
          nb_files: non_neg_integer(),
          incomplete_size: non_neg_integer(),
          revisions: [Cache.Revision.t()],
          last_accessed: DateTime.t(),
          last_modified: DateTime.t()
        }

  defstruct [
    :repo_id,
    :repo_type,
    :repo_path,
    :size_on_disk,
    :nb_files,
    :last_accessed,
    :last_modified,
    incomplete_size: 0,
    revisions: []
  ]

  @types %{"model" => :model, "dataset" => :dataset, "space" => :space, "kernel" => :kernel}

  @doc """
  Returns which revision each branch and tag of the repository stands for.

  ## Examples

      iex> main = %HfHub.Cache.Revision{commit_hash: "c0ffee", refs: ["main", "v1"], size_on_disk: 1}
      iex> %HfHub.Cache.Repo{revisions: [main]} |> HfHub.Cache.Repo.refs() |> Map.keys()
      ["main", "v1"]
  """
  @doc python: "CachedRepoInfo.refs"
  @spec refs(t()) :: %{String.t() => Cache.Revision.t()}
  def refs(%__MODULE__{} = repo) do
    for revision <- repo.revisions, ref <- revision.refs, into: %{}, do: {ref, revision}
  end

  @doc false
  def from_native(repo) do
    %__MODULE__{
      repo_id: repo.repo_id,
      repo_type: @types[repo.repo_type],
      repo_path: repo.repo_path,
      size_on_disk: repo.size_on_disk,
      nb_files: repo.nb_files,
      incomplete_size: repo.incomplete_size,
      last_accessed: repo.last_accessed,
      last_modified: repo.last_modified,
      revisions: Enum.map(repo.revisions, &Cache.Revision.from_native/1)
    }
  end

  defimpl Inspect do
    def inspect(repo, _opts) do
      "#HfHub.Cache.Repo<#{repo.repo_type} #{repo.repo_id}, #{length(repo.revisions)} revisions, " <>
        "#{repo.nb_files} files, #{Brief.size(repo.size_on_disk)}#{Cache.Report.incomplete(repo)}>"
    end
  end
end
