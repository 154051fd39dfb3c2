defmodule HfHub.Git do
  @moduledoc """
  A repository's branches, tags and history.

      {:ok, refs} = HfHub.Git.list_refs("openai-community/gpt2")
      for branch <- refs.branches, do: branch.name
  """

  alias HfHub.{Config, Error, Options, RepoRef, Request}
  alias HfHub.Git.{CommitInfo, Refs}

  @repo_type [
    repo_type: [
      type: {:in, [:model, :dataset, :space]},
      default: :model,
      doc: "what an id alone stands for."
    ]
  ]

  @refs @repo_type ++
          [
            include_pull_requests: [
              type: :boolean,
              default: false,
              doc: "tell the refs of pull requests, too."
            ]
          ] ++ Options.common()

  @commits @repo_type ++
             [
               revision: [type: :string, doc: "branch, tag or commit. By default `\"main\"`."],
               formatted: [type: :boolean, default: false, doc: "tell titles and messages as HTML, too."],
               limit: [type: :pos_integer, doc: "at most so many. By default the whole history."]
             ] ++ Options.common()

  @doc """
  Returns the branches, tags and converts of a repository.

  ## Options

  #{Options.docs(@refs)}

  ## Examples

      {:ok, refs} = HfHub.Git.list_refs("openai-community/gpt2", include_pull_requests: true)
  """
  @doc python: "list_repo_refs"
  @spec list_refs(term(), keyword()) :: {:ok, Refs.t()} | {:error, Error.t()}
  def list_refs(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @refs)

    with {:ok, ref} <- ref(repo_id, opts) do
      Request.new(:get, "/api/:types/*repo/refs", params(ref), opts)
      |> Request.about(ref)
      |> Request.query(include_prs: if(opts[:include_pull_requests], do: 1))
      |> Request.run(&Refs.from_json/1)
    end
  end

  @doc "Same as `list_refs/2`, but returns the refs or raises `HfHub.Error`."
  @spec list_refs!(term(), keyword()) :: Refs.t()
  def list_refs!(repo_id, opts \\ []), do: Error.unwrap!(list_refs(repo_id, opts))

  @doc """
  Returns the commits of a revision, the newest first.

  ## Options

  #{Options.docs(@commits)}

  ## Examples

      {:ok, [newest | _older]} = HfHub.Git.list_commits("openai-community/gpt2", limit: 10)
  """
  @doc python: "list_repo_commits"
  @spec list_commits(term(), keyword()) :: {:ok, [CommitInfo.t()]} | {:error, Error.t()}
  def list_commits(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @commits)

    with {:ok, ref} <- ref(repo_id, opts) do
      revision = opts[:revision] || ref.revision || "main"

      Request.new(:get, "/api/:types/*repo/commits/:revision", [revision: revision] ++ params(ref), opts)
      |> Request.about(%{ref | revision: revision})
      |> Request.query([{"expand[]", if(opts[:formatted], do: "formatted")}])
      |> Request.list(opts[:limit], &CommitInfo.from_json/1)
    end
  end

  @doc "Same as `list_commits/2`, but returns the commits or raises `HfHub.Error`."
  @spec list_commits!(term(), keyword()) :: [CommitInfo.t()]
  def list_commits!(repo_id, opts \\ []), do: Error.unwrap!(list_commits(repo_id, opts))

  defp ref(repo_id, opts), do: RepoRef.parse(repo_id, opts[:repo_type], opts[:endpoint] || Config.endpoint())

  defp params(ref), do: [types: "#{ref.repo_type}s", repo: ref.repo_id]
end
