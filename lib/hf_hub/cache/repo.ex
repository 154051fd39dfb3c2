defmodule HfHub.Cache.Repo do
  @moduledoc """
  A cached repository. Python: `CachedRepoInfo`.
  """

  alias HfHub.Brief
  alias HfHub.Cache.Revision

  use HfHub.Schema,
    repo_id: {:string, "id of the repository"},
    repo_type: {{:enum, [:model, :dataset, :space, :kernel]}, "type of the repository"},
    repo_path: {:path, "path of the repository's folder"},
    size_on_disk: {:integer, "size in bytes of all contents, each counted once"},
    nb_files: {:integer, "number of contents"},
    incomplete_size:
      {:integer,
       "bytes on disk of partial files; not part of `:size_on_disk`, as in Python. They are removed with the repository, " <>
         "or by `HfHub.Cache.prune/1`", default: 0},
    revisions: {[Revision], "revisions", default: []},
    last_accessed: {:datetime, "time of the last access to one of the contents, in UTC"},
    last_modified: {:datetime, "time of the last change of one of the contents, in UTC"}

  @doc """
  Returns which revision each branch and tag of the repository stands for.

  ## Examples

      iex> main = %HfHub.Cache.Revision{commit_hash: "c0ffee", refs: ["main", "v1"], size_on_disk: 1}
      iex> %HfHub.Cache.Repo{revisions: [main]} |> HfHub.Cache.Repo.refs() |> Map.keys()
      ["main", "v1"]
  """
  @doc python: "CachedRepoInfo.refs"
  @spec refs(t()) :: %{String.t() => Revision.t()}
  def refs(%__MODULE__{} = repo) do
    for revision <- repo.revisions, ref <- revision.refs, into: %{}, do: {ref, revision}
  end

  defimpl Inspect do
    def inspect(repo, _opts) do
      "#HfHub.Cache.Repo<#{repo.repo_type} #{repo.repo_id}, #{length(repo.revisions)} revisions, " <>
        "#{repo.nb_files} files, #{Brief.size(repo.size_on_disk)}#{Brief.incomplete(repo)}>"
    end
  end
end
