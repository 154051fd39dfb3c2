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
    size_on_disk: {:integer, "total size of its blobs, in bytes"},
    nb_files: {:integer, "number of its blobs"},
    incomplete_size:
      {:integer,
       "bytes on disk of its partial files; as in the Python client, not part of `:size_on_disk`. They are removed with " <>
         "the repository, or by `HfHub.Cache.prune/1`", default: 0},
    revisions: {[Revision], "revisions", default: []},
    last_accessed: {:microseconds, "time of the last access to one of its blobs, in UTC"},
    last_modified: {:microseconds, "time of the last write to one of its blobs, in UTC"}

  @doc """
  Returns a map of the repository's branches and tags to their revisions.

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
      "#HfHub.Cache.Repo<#{repo.repo_type} #{repo.repo_id}, #{Brief.count(length(repo.revisions), "revisions")}, " <>
        "#{Brief.count(repo.nb_files, "files")}, #{Brief.size(repo.size_on_disk)}#{Brief.incomplete(repo)}>"
    end
  end
end
