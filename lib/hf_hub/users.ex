defmodule HfHub.Users do
  @moduledoc """
  Users of the Hub.

      {:ok, user} = HfHub.Users.get("julien-c")
      user.num_models

  Likes are in `HfHub.Likes`; the functions of hf_hub 0.3 for them are here, too.
  """

  alias HfHub.{Error, Likes, Options, Request}
  alias HfHub.Users.{RepoStorageInfo, User}

  @get Options.common()

  @repos [
           organization: [
             type: :string,
             aliases: [:namespace],
             doc: "Organization whose repositories to return. Defaults to those of the token's account."
           ]
         ] ++ Options.common()

  @list [limit: [type: :pos_integer, doc: "Maximum number of repositories to return. Defaults to all."]] ++
          @repos

  @people [limit: [type: :pos_integer, doc: "Maximum number of users to return. Defaults to all."]] ++
            Options.common()

  @doc """
  Returns the overview of a user: name, counts of repositories and followers, organizations.

  ## Options

  #{Options.docs(@get)}

  ## Examples

      {:ok, user} = HfHub.Users.get("julien-c")
      for org <- user.orgs, do: org.name
  """
  @doc python: "get_user_overview"
  @spec get(String.t(), keyword()) :: {:ok, User.t()} | {:error, Error.t()}
  def get(username, opts \\ []) do
    opts = Options.validate!(opts, @get)
    Request.new(:get, "/api/users/:name/overview", [name: username], opts) |> Request.run(User)
  end

  @doc "Same as `get/2`, but returns the user or raises `HfHub.Error`."
  @spec get!(String.t(), keyword()) :: User.t()
  def get!(username, opts \\ []), do: Error.unwrap!(get(username, opts))

  @doc """
  Returns the repositories of the token's account, or of an organization, with their storage sizes.

  They are models, datasets and Spaces, private ones included, and on the public Hub buckets. A token that does not belong
  to a member of the organization is an error of kind `:forbidden`.

  ## Options

  #{Options.docs(@list)}

  ## Examples

      {:ok, repos} = HfHub.Users.list_repos()
      Enum.max_by(repos, & &1.storage)
  """
  @doc python: "list_user_repos"
  @spec list_repos(keyword()) :: {:ok, [RepoStorageInfo.t()]} | {:error, Error.t()}
  def list_repos(opts \\ []) do
    opts = Options.validate!(opts, @list)
    Request.list(repos(opts), opts[:limit], RepoStorageInfo)
  end

  @doc "Same as `list_repos/1`, but returns the repositories or raises `HfHub.Error`."
  @spec list_repos!(keyword()) :: [RepoStorageInfo.t()]
  def list_repos!(opts \\ []), do: Error.unwrap!(list_repos(opts))

  @doc """
  Returns the repositories of `list_repos/1` as a lazy stream. Options: those of `list_repos/1` but `:limit`.

  ## Examples

      HfHub.Users.stream_repos(organization: "acme") |> Enum.find(&(&1.storage_percent > 50))
  """
  @doc python: "list_user_repos"
  @spec stream_repos(keyword()) :: Enumerable.t()
  def stream_repos(opts \\ []),
    do: Request.stream(repos(Options.validate!(opts, @repos)), RepoStorageInfo)

  @doc """
  Returns the followers of a user, the most recent one first.

  The Hub has no route to follow an account; that is done on its web pages, or by `HfHub.LocalHub.command/2` for a
  Local Hub.

  ## Options

  #{Options.docs(@people)}

  ## Examples

      {:ok, users} = HfHub.Users.list_followers("julien-c", limit: 100)
      for user <- users, do: user.username
  """
  @doc python: "list_user_followers"
  @spec list_followers(String.t(), keyword()) :: {:ok, [User.t()]} | {:error, Error.t()}
  def list_followers(username, opts \\ []) do
    opts = Options.validate!(opts, @people)
    Request.list(people(username, "followers", opts), opts[:limit], User)
  end

  @doc "Same as `list_followers/2`, but returns the users or raises `HfHub.Error`."
  @spec list_followers!(String.t(), keyword()) :: [User.t()]
  def list_followers!(username, opts \\ []), do: Error.unwrap!(list_followers(username, opts))

  @doc """
  Returns the followers of a user as a lazy stream. Options: those of `list_followers/2` but `:limit`.

  ## Examples

      HfHub.Users.stream_followers("julien-c") |> Enum.count(& &1.is_pro)
  """
  @doc python: "list_user_followers"
  @spec stream_followers(String.t(), keyword()) :: Enumerable.t()
  def stream_followers(username, opts \\ []),
    do: Request.stream(people(username, "followers", common(opts)), User)

  @doc """
  Returns the users whom a user follows, the most recent one first. Organizations are not among them.

  ## Options

  #{Options.docs(@people)}

  ## Examples

      {:ok, users} = HfHub.Users.list_following("julien-c", limit: 100)
  """
  @doc python: "list_user_following"
  @spec list_following(String.t(), keyword()) :: {:ok, [User.t()]} | {:error, Error.t()}
  def list_following(username, opts \\ []) do
    opts = Options.validate!(opts, @people)
    Request.list(people(username, "following", opts), opts[:limit], User)
  end

  @doc "Same as `list_following/2`, but returns the users or raises `HfHub.Error`."
  @spec list_following!(String.t(), keyword()) :: [User.t()]
  def list_following!(username, opts \\ []), do: Error.unwrap!(list_following(username, opts))

  @doc """
  Returns the users whom a user follows as a lazy stream. Options: those of `list_following/2` but `:limit`.

  ## Examples

      HfHub.Users.stream_following("julien-c") |> Enum.find(& &1.is_following)
  """
  @doc python: "list_user_following"
  @spec stream_following(String.t(), keyword()) :: Enumerable.t()
  def stream_following(username, opts \\ []),
    do: Request.stream(people(username, "following", common(opts)), User)

  @doc """
  Likes a repository, as `HfHub.Likes.like/2` does. Options: those of `HfHub.Likes.like/2`.

  ## Examples

      HfHub.Users.like("me/my-model", endpoint: "http://127.0.0.1:8080")
      #=> :ok
  """
  @spec like(HfHub.repo(), keyword()) :: :ok | {:error, Error.t()}
  defdelegate like(repo_id, opts \\ []), to: Likes

  @doc "Same as `like/2`, but raises `HfHub.Error` on failure."
  @spec like!(HfHub.repo(), keyword()) :: :ok
  defdelegate like!(repo_id, opts \\ []), to: Likes

  @doc """
  Removes a like, as `HfHub.Likes.unlike/2` does. Options: those of `HfHub.Likes.unlike/2`.

  ## Examples

      HfHub.Users.unlike("openai-community/gpt2")
      #=> :ok
  """
  @spec unlike(HfHub.repo(), keyword()) :: :ok | {:error, Error.t()}
  defdelegate unlike(repo_id, opts \\ []), to: Likes

  @doc "Same as `unlike/2`, but raises `HfHub.Error` on failure."
  @spec unlike!(HfHub.repo(), keyword()) :: :ok
  defdelegate unlike!(repo_id, opts \\ []), to: Likes

  @doc """
  Returns the users who like a repository, as `HfHub.Likes.list_likers/2` does. Options: those of `HfHub.Likes.list_likers/2`.

  ## Examples

      {:ok, users} = HfHub.Users.list_likers("openai-community/gpt2", limit: 100)
  """
  @spec list_likers(HfHub.repo(), keyword()) :: {:ok, [User.t()]} | {:error, Error.t()}
  defdelegate list_likers(repo_id, opts \\ []), to: Likes

  @doc "Same as `list_likers/2`, but returns the users or raises `HfHub.Error`."
  @spec list_likers!(HfHub.repo(), keyword()) :: [User.t()]
  defdelegate list_likers!(repo_id, opts \\ []), to: Likes

  @doc """
  Returns the repositories that a user likes, as `HfHub.Likes.list_liked_repos/2` does. Options: those of `HfHub.Likes.list_liked_repos/2`.

  ## Examples

      {:ok, liked} = HfHub.Users.list_liked_repos("julien-c")
  """
  @spec list_liked_repos(String.t() | nil, keyword()) :: {:ok, [Likes.LikedRepo.t()]} | {:error, Error.t()}
  defdelegate list_liked_repos(username, opts \\ []), to: Likes

  @doc "Same as `list_liked_repos/2`, but returns the repositories or raises `HfHub.Error`."
  @spec list_liked_repos!(String.t() | nil, keyword()) :: [Likes.LikedRepo.t()]
  defdelegate list_liked_repos!(username, opts \\ []), to: Likes

  defp common(opts), do: Options.validate!(opts, Options.common())

  defp people(name, route, opts),
    do: Request.new(:get, "/api/users/:name/:route", [name: name, route: route], opts)

  defp repos(opts) do
    case opts[:organization] do
      nil -> Request.new(:get, "/api/settings/repositories", [], opts)
      name -> Request.new(:get, "/api/organizations/:name/settings/repositories", [name: name], opts)
    end
  end
end
