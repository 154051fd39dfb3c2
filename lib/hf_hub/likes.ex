defmodule HfHub.Likes do
  @moduledoc """
  Likes: who likes a repository, and what a user likes.

      {:ok, users} = HfHub.Likes.list_likers("openai-community/gpt2", limit: 10)
      {:ok, liked} = HfHub.Likes.list_liked_repos("julien-c")

  The number of likes of a repository is the field `:likes` of `HfHub.Api.model_info/2` and its siblings;
  `HfHub.Api.list_models/1` sorts by it with `sort: :likes`.
  """

  alias HfHub.{Account, Error, Options, Request}
  alias HfHub.Likes.LikedRepo
  alias HfHub.Users.User

  @repo Options.repo_type() ++ Options.common()

  @likers [limit: [type: :pos_integer, doc: "Maximum number of users to return. Defaults to all."]] ++ @repo

  @liked [limit: [type: :pos_integer, doc: "Maximum number of repositories to return. Defaults to all."]] ++
           Options.common()

  @doc """
  Likes a repository, as the account of the token. A repeated like changes nothing.

  The public Hub accepts likes from its web pages only: to prevent spam, it has removed the route for tokens, and the
  result is an error. The Local Hub, like other Hubs that have the route, requires a token that may write.

  ## Options

  #{Options.docs(@repo)}

  ## Examples

      HfHub.Likes.like("me/my-model", endpoint: "http://127.0.0.1:8080")
      #=> :ok
  """
  @spec like(HfHub.repo(), keyword()) :: :ok | {:error, Error.t()}
  def like(repo_id, opts \\ []),
    do: own(:post, repo_id, Options.validate!(opts, @repo)) |> Request.repeatable() |> Request.effect()

  @doc "Same as `like/2`, but raises `HfHub.Error` on failure."
  @spec like!(HfHub.repo(), keyword()) :: :ok
  def like!(repo_id, opts \\ []), do: Error.unwrap!(like(repo_id, opts))

  @doc """
  Removes the like of the token's account from a repository. Succeeds if there is none.

  ## Options

  #{Options.docs(@repo)}

  ## Examples

      HfHub.Likes.unlike("openai-community/gpt2")
      #=> :ok
  """
  @doc python: "unlike"
  @spec unlike(HfHub.repo(), keyword()) :: :ok | {:error, Error.t()}
  def unlike(repo_id, opts \\ []),
    do: own(:delete, repo_id, Options.validate!(opts, @repo)) |> Request.effect()

  @doc "Same as `unlike/2`, but raises `HfHub.Error` on failure."
  @spec unlike!(HfHub.repo(), keyword()) :: :ok
  def unlike!(repo_id, opts \\ []), do: Error.unwrap!(unlike(repo_id, opts))

  @doc """
  Returns the users who like a repository, the most recent like first.

  ## Options

  #{Options.docs(@likers)}

  ## Examples

      {:ok, users} = HfHub.Likes.list_likers("openai-community/gpt2", limit: 100)
      for user <- users, do: user.username
  """
  @doc python: "list_repo_likers"
  @spec list_likers(HfHub.repo(), keyword()) :: {:ok, [User.t()]} | {:error, Error.t()}
  def list_likers(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @likers)
    Request.list(likers(repo_id, opts), opts[:limit], User)
  end

  @doc "Same as `list_likers/2`, but returns the users or raises `HfHub.Error`."
  @spec list_likers!(HfHub.repo(), keyword()) :: [User.t()]
  def list_likers!(repo_id, opts \\ []), do: Error.unwrap!(list_likers(repo_id, opts))

  @doc """
  Returns the users who like a repository as a lazy stream. Options: those of `list_likers/2` but `:limit`.

  ## Examples

      HfHub.Likes.stream_likers("openai-community/gpt2") |> Enum.any?(&(&1.username == "julien-c"))
  """
  @doc python: "list_repo_likers"
  @spec stream_likers(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream_likers(repo_id, opts \\ []),
    do: Request.stream(likers(repo_id, Options.validate!(opts, @repo)), User)

  @doc """
  Returns the repositories that a user likes, of all types, the most recent like first.

  Private repositories are included only if the token may see them. Without a user name, or with `nil`, these are the
  likes of the token's account, which takes one more request.

  ## Options

  #{Options.docs(@liked)}

  ## Examples

      {:ok, liked} = HfHub.Likes.list_liked_repos("julien-c")
      for %{repo_type: :dataset} = repo <- liked, do: repo.repo_id
  """
  @doc python: "list_liked_repos"
  @spec list_liked_repos(String.t() | nil, keyword()) :: {:ok, [LikedRepo.t()]} | {:error, Error.t()}
  def list_liked_repos(username \\ nil, opts \\ []) do
    opts = Options.validate!(opts, @liked)

    with {:ok, name} <- Account.name(username, opts),
         do: Request.list(liked(name, opts), opts[:limit], LikedRepo)
  end

  @doc "Same as `list_liked_repos/2`, but returns the repositories or raises `HfHub.Error`."
  @spec list_liked_repos!(String.t() | nil, keyword()) :: [LikedRepo.t()]
  def list_liked_repos!(username \\ nil, opts \\ []), do: Error.unwrap!(list_liked_repos(username, opts))

  @doc """
  Returns the repositories that a user likes as a lazy stream. Options: those of `list_liked_repos/2` but `:limit`.

  ## Examples

      HfHub.Likes.stream_liked_repos("julien-c") |> Stream.map(& &1.repo_id) |> Enum.take(20)
  """
  @doc python: "list_liked_repos"
  @spec stream_liked_repos(String.t() | nil, keyword()) :: Enumerable.t()
  def stream_liked_repos(username \\ nil, opts \\ []) do
    opts = Options.validate!(opts, Options.common())
    Request.stream(liked(Error.unwrap!(Account.name(username, opts)), opts), LikedRepo)
  end

  defp own(method, repo_id, opts),
    do: Request.repo(method, "/api/:types/*repo/like", repo_id, opts, scope: :whole)

  defp likers(repo_id, opts),
    do: Request.repo(:get, "/api/:types/*repo/likers", repo_id, opts, scope: :whole)

  defp liked(name, opts), do: Request.new(:get, "/api/users/:name/likes", [name: name], opts)
end
