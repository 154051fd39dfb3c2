defmodule HfHub.Git do
  @moduledoc """
  Branches, tags and commit history of a repository.

      {:ok, refs} = HfHub.Git.list_refs("openai-community/gpt2")
      for branch <- refs.branches, do: branch.name

      {:ok, _branch} = HfHub.Git.create_branch("me/my-model", "experiment")
      {:ok, _tag} = HfHub.Git.create_tag("me/my-model", "v1.0", message: "First release")
  """

  alias HfHub.{Error, Options, Request}
  alias HfHub.Git.{BranchInfo, CommitInfo, GitRefs, Resolution, TagInfo}
  alias HfHub.Request.Place

  @refs Options.repo_type() ++
          [
            include_pull_requests: [
              type: :boolean,
              default: false,
              doc: "Whether to include pull request refs."
            ]
          ] ++ Options.common()

  @stream [
            formatted: [
              type: :boolean,
              default: false,
              doc: "Whether to include titles and messages formatted as HTML."
            ]
          ] ++ Options.repo_type() ++ Options.revision() ++ Options.common()

  @commits [limit: [type: :pos_integer, doc: "Maximum number of commits to return. Defaults to all."]] ++
             @stream

  @branch Options.repo_type() ++
            [
              revision: [
                type: :string,
                doc:
                  "Branch, tag or commit to start from. Defaults to the revision in the id, else `\"main\"`."
              ],
              exist_ok: [
                type: :boolean,
                default: false,
                doc: "Whether to succeed if the branch already exists, whatever commit it points to."
              ]
            ] ++ Options.common()

  @tag Options.repo_type() ++
         [
           revision: [
             type: :string,
             doc: "Branch or commit to tag. Defaults to the revision in the id, else `\"main\"`."
           ],
           message: [type: :string, aliases: [:tag_message], doc: "Message of the (annotated) tag."],
           exist_ok: [
             type: :boolean,
             default: false,
             doc: "Whether to succeed if the tag already exists, whatever commit it points to."
           ]
         ] ++ Options.common()

  @resolve Resolution.table()

  @delete Options.repo_type() ++ Options.common()

  @squash Options.repo_type() ++
            [
              branch: [type: :string, default: "main", doc: "Branch to squash."],
              message: [
                type: :string,
                aliases: [:commit_message],
                doc: "Message of the resulting commit. Defaults to one that names the branch."
              ]
            ] ++ Options.common()

  @doc """
  Returns the branches, tags and converted revisions of a repository.

  ## Options

  #{Options.docs(@refs)}

  ## Examples

      {:ok, refs} = HfHub.Git.list_refs("openai-community/gpt2", include_pull_requests: true)
  """
  @doc python: "list_repo_refs"
  @spec list_refs(HfHub.repo(), keyword()) :: {:ok, GitRefs.t()} | {:error, Error.t()}
  def list_refs(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @refs)

    refs(repo_id, opts)
  end

  @doc "Same as `list_refs/2`, but returns the refs or raises `HfHub.Error`."
  @spec list_refs!(HfHub.repo(), keyword()) :: GitRefs.t()
  def list_refs!(repo_id, opts \\ []), do: Error.unwrap!(list_refs(repo_id, opts))

  @doc """
  Returns the commit that a branch, a tag or a pull request points to.

  Several downloads with this commit as `:revision` get files of the same commit, even if the branch moves meanwhile, and
  cached files take no request. The commit is stored in the cache: if the Hub does not respond, or fails, the one stored last
  is returned and a warning is logged. If there is none, the error is the Hub's, or of kind `:not_cached` without the
  network. A commit is returned unchanged, without a request.

  ## Options

  #{Options.docs(@resolve)}

  ## Examples

      {:ok, commit} = HfHub.Git.resolve_revision("openai-community/gpt2")

      HfHub.Download.hf_hub_download(
        repo_id: "openai-community/gpt2",
        filename: "config.json",
        revision: commit
      )
  """
  @doc python: "resolve_revision"
  @spec resolve_revision(HfHub.repo(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def resolve_revision(repo_id, opts \\ []),
    do: Resolution.run(repo_id, Options.validate!(opts, @resolve, repo_id))

  @doc "Same as `resolve_revision/2`, but returns the commit or raises `HfHub.Error`."
  @spec resolve_revision!(HfHub.repo(), keyword()) :: String.t()
  def resolve_revision!(repo_id, opts \\ []), do: Error.unwrap!(resolve_revision(repo_id, opts))

  @doc """
  Returns the commits of a revision, newest first.

  ## Options

  #{Options.docs(@commits)}

  ## Examples

      {:ok, [newest | _older]} = HfHub.Git.list_commits("openai-community/gpt2", limit: 10)
  """
  @doc python: "list_repo_commits"
  @spec list_commits(HfHub.repo(), keyword()) :: {:ok, [CommitInfo.t()]} | {:error, Error.t()}
  def list_commits(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @commits)

    Request.list(commits(repo_id, opts), opts[:limit], CommitInfo)
  end

  @doc "Same as `list_commits/2`, but returns the commits or raises `HfHub.Error`."
  @spec list_commits!(HfHub.repo(), keyword()) :: [CommitInfo.t()]
  def list_commits!(repo_id, opts \\ []), do: Error.unwrap!(list_commits(repo_id, opts))

  @doc """
  Returns the commits of a revision as a lazy stream, newest first. Options: those of `list_commits/2` but `:limit`.

  ## Examples

      HfHub.Git.stream_commits("openai-community/gpt2") |> Enum.find(&(&1.title =~ "safetensors"))
  """
  @doc python: "list_repo_commits"
  @spec stream_commits(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream_commits(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @stream)
    Request.stream(commits(repo_id, opts), CommitInfo)
  end

  @doc """
  Creates a branch.

  The Hub does not return the commit of the new branch: `:target_commit` is `nil`, unless `:revision` is a full commit id.

  ## Options

  #{Options.docs(@branch)}

  ## Examples

      {:ok, branch} = HfHub.Git.create_branch("me/my-model", "experiment", revision: "v1.0")
      branch.ref
      #=> "refs/heads/experiment"
  """
  @doc python: "create_branch"
  @spec create_branch(HfHub.repo(), String.t(), keyword()) :: {:ok, BranchInfo.t()} | {:error, Error.t()}
  def create_branch(repo_id, branch, opts \\ []) do
    opts = Options.validate!(opts, @branch)

    # A missing revision is the one to start from, not the branch.
    request =
      named(:post, "branch/:name", branch, repo_id, opts, :at_revision) |> Place.check_revision(branch)

    info = %BranchInfo{name: branch, ref: "refs/heads/" <> branch}

    request
    |> Request.json(&%{startingPoint: &1.revision})
    |> Request.effect()
    |> created(%{info | target_commit: start(request)}, info, opts)
    |> unless_branch(info, repo_id, opts)
  end

  @doc "Same as `create_branch/3`, but returns the branch or raises `HfHub.Error`."
  @spec create_branch!(HfHub.repo(), String.t(), keyword()) :: BranchInfo.t()
  def create_branch!(repo_id, branch, opts \\ []), do: Error.unwrap!(create_branch(repo_id, branch, opts))

  @doc """
  Deletes a branch. Commits that no other branch or tag reaches are lost. The Hub refuses to delete `main`.

  ## Options

  #{Options.docs(@delete)}

  ## Examples

      HfHub.Git.delete_branch("me/my-model", "experiment")
      #=> :ok
  """
  @doc python: "delete_branch"
  @spec delete_branch(HfHub.repo(), String.t(), keyword()) :: :ok | {:error, Error.t()}
  def delete_branch(repo_id, branch, opts \\ []), do: delete("branch/:name", repo_id, branch, opts)

  @doc "Same as `delete_branch/3`, but raises `HfHub.Error` on failure."
  @spec delete_branch!(HfHub.repo(), String.t(), keyword()) :: :ok
  def delete_branch!(repo_id, branch, opts \\ []), do: Error.unwrap!(delete_branch(repo_id, branch, opts))

  @doc """
  Creates a tag.

  The Hub does not return the commit of the new tag: `:target_commit` is `nil`, unless `:revision` is a full commit id.

  ## Options

  #{Options.docs(@tag)}

  ## Examples

      {:ok, tag} = HfHub.Git.create_tag("me/my-model", "v1.0", message: "First release")
      tag.ref
      #=> "refs/tags/v1.0"
  """
  @doc python: "create_tag"
  @spec create_tag(HfHub.repo(), String.t(), keyword()) :: {:ok, TagInfo.t()} | {:error, Error.t()}
  def create_tag(repo_id, tag, opts \\ []) do
    opts = Options.validate!(opts, @tag)
    name!(tag)

    request = Request.repo(:post, "/api/:types/*repo/tag/:revision", repo_id, opts, scope: :at_revision)
    info = %TagInfo{name: tag, ref: "refs/tags/" <> tag}

    request
    |> Request.json(%{tag: tag, message: opts[:message]})
    |> Request.effect()
    |> created(%{info | target_commit: start(request), message: opts[:message]}, info, opts)
  end

  @doc "Same as `create_tag/3`, but returns the tag or raises `HfHub.Error`."
  @spec create_tag!(HfHub.repo(), String.t(), keyword()) :: TagInfo.t()
  def create_tag!(repo_id, tag, opts \\ []), do: Error.unwrap!(create_tag(repo_id, tag, opts))

  @doc """
  Deletes a tag. Options: those of `delete_branch/3`.

  ## Examples

      HfHub.Git.delete_tag("me/my-model", "v1.0")
      #=> :ok
  """
  @doc python: "delete_tag"
  @spec delete_tag(HfHub.repo(), String.t(), keyword()) :: :ok | {:error, Error.t()}
  def delete_tag(repo_id, tag, opts \\ []), do: delete("tag/:name", repo_id, tag, opts)

  @doc "Same as `delete_tag/3`, but raises `HfHub.Error` on failure."
  @spec delete_tag!(HfHub.repo(), String.t(), keyword()) :: :ok
  def delete_tag!(repo_id, tag, opts \\ []), do: Error.unwrap!(delete_tag(repo_id, tag, opts))

  @doc """
  Squashes the whole history of a branch into one commit. This cannot be undone.

  Useful for a branch with hundreds of commits that are no longer needed. Afterwards the branch can no longer be merged
  with others.

  ## Options

  #{Options.docs(@squash)}

  ## Examples

      HfHub.Git.super_squash("me/my-model", message: "Checkpoints of the first run")
      #=> :ok
  """
  @doc python: "super_squash_history"
  @spec super_squash(HfHub.repo(), keyword()) :: :ok | {:error, Error.t()}
  def super_squash(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @squash)
    message = opts[:message] || "Super-squash branch '#{opts[:branch]}' using hf_hub"

    change(:post, "super-squash/:name", opts[:branch], repo_id, opts)
    |> Request.json(%{message: message})
    |> Request.effect()
  end

  @doc "Same as `super_squash/2`, but raises `HfHub.Error` on failure."
  @spec super_squash!(HfHub.repo(), keyword()) :: :ok
  def super_squash!(repo_id, opts \\ []), do: Error.unwrap!(super_squash(repo_id, opts))

  defp commits(repo_id, opts) do
    Request.repo(:get, "/api/:types/*repo/commits/:revision", repo_id, opts)
    |> Request.query([{"expand[]", if(opts[:formatted], do: "formatted")}])
  end

  defp delete(route, repo_id, name, opts) do
    opts = Options.validate!(opts, @delete)

    change(:delete, route, name, repo_id, opts) |> Request.effect()
  end

  # A missing revision is the branch or tag.
  defp change(method, route, name, repo_id, opts),
    do: named(method, route, name, repo_id, opts, :whole) |> Request.at_revision(name)

  defp named(method, route, name, repo_id, opts, scope) do
    name!(name)
    Request.repo(method, "/api/:types/*repo/" <> route, repo_id, opts, name: name, scope: scope)
  end

  # An empty name would select a different route.
  defp name!(name) do
    unless is_binary(name) and String.valid?(name) and name != "" do
      raise ArgumentError, "expected the name of a branch or tag, got: #{Options.shown(name)}"
    end
  end

  defp start(%{ref: %{revision: revision}}), do: if(Resolution.commit?(revision), do: revision)
  defp start(_request), do: nil

  defp created(:ok, made, _existing, _opts), do: {:ok, made}

  defp created({:error, %Error{kind: :conflict} = error}, _made, existing, opts) do
    if opts[:exist_ok],
      do: {:ok, existing},
      else: {:error, %{error | message: error.message <> "; pass exist_ok: true to leave it as it is"}}
  end

  defp created(error, _made, _existing, _opts), do: error

  defp unless_branch({:error, %Error{kind: :forbidden}} = refused, branch, repo_id, opts) do
    # A token without write access can still find out that the branch exists.
    with true <- opts[:exist_ok],
         {:ok, refs} <- refs(repo_id, opts),
         %BranchInfo{} = found <- Enum.find(refs.branches, &(&1.name == branch.name)) do
      {:ok, found}
    else
      _other -> refused
    end
  end

  defp unless_branch(result, _branch, _repo_id, _opts), do: result

  defp refs(repo_id, opts) do
    Request.repo(:get, "/api/:types/*repo/refs", repo_id, opts)
    |> Request.query(include_prs: if(opts[:include_pull_requests], do: 1))
    |> Request.run(GitRefs)
  end
end
