defmodule HfHub.Revision do
  @moduledoc """
  A revision of a repository with the commit that it stands for. Python: `ResolvedRevision`.

  A branch moves, and so may a tag. Several calls with the commit see the same files:

      {:ok, revision} = HfHub.Revision.resolve("openai-community/gpt2", revision: "main")

      HfHub.Download.hf_hub_download(
        repo_id: "openai-community/gpt2",
        filename: "config.json",
        revision: revision.resolved
      )

  `HfHub.Lock` pins commits and contents in a file of the project.
  """

  alias HfHub.{Brief, Error, Options, RepoRef}
  alias HfHub.Git.Resolution

  use HfHub.Schema,
    repo_id: {:string, "id of the repository"},
    repo_type: {{:enum, [:model, :dataset, :space]}, "type of the repository"},
    requested: {:string, "branch, tag, pull request or commit that was passed"},
    resolved: {:string, "commit that it stands for"}

  @resolve Resolution.table()

  @doc """
  Returns a revision with its commit, as `HfHub.Git.resolve_revision/2` finds it.

  ## Options

  #{Options.docs(@resolve)}

  ## Examples

      iex> commit = String.duplicate("a", 40)
      iex> {:ok, revision} = HfHub.Revision.resolve("openai-community/gpt2", revision: commit)
      iex> {revision.requested, revision.resolved} == {commit, commit}
      true
  """
  @doc python: "resolve_revision"
  @spec resolve(HfHub.repo(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def resolve(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @resolve, repo_id)

    with {:ok, ref} <- RepoRef.resolve(repo_id, opts),
         {:ok, commit} <- Resolution.run(repo_id, opts) do
      requested = ref.revision || "main"

      {:ok,
       %__MODULE__{repo_id: ref.repo_id, repo_type: ref.repo_type, requested: requested, resolved: commit}}
    end
  end

  @doc "Same as `resolve/2`, but returns the revision or raises `HfHub.Error`."
  @spec resolve!(HfHub.repo(), keyword()) :: t()
  def resolve!(repo_id, opts \\ []), do: Error.unwrap!(resolve(repo_id, opts))

  @doc """
  Returns whether a revision is a whole commit id in lower case, which always stands for the same files.

  ## Examples

      iex> HfHub.Revision.commit_hash?("main")
      false
      iex> HfHub.Revision.commit_hash?(String.duplicate("a", 40))
      true
  """
  @spec commit_hash?(term()) :: boolean()
  def commit_hash?(revision), do: Resolution.commit?(revision)

  defimpl Inspect do
    def inspect(revision, _opts),
      do: Brief.line(revision, [revision.repo_type, revision.repo_id, revision.requested, revision.resolved])
  end
end
