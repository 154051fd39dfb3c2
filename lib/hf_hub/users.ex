defmodule HfHub.Users do
  @moduledoc """
  Users of the Hub.

      {:ok, user} = HfHub.Users.get("julien-c")
      user.num_models
  """

  alias HfHub.{Decode, Error, Options, Request}
  alias HfHub.Users.{RepoStorageInfo, User}

  @get Options.common()

  @repos [
           organization: [
             type: :string,
             doc: "Organization whose repositories to return. Defaults to those of the token's account."
           ]
         ] ++ Options.common()

  @list [limit: [type: :pos_integer, doc: "Maximum number of repositories to return. Defaults to all."]] ++
          @repos

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
    Request.new(:get, "/api/users/:name/overview", [name: username], opts) |> Request.run(Decode.to(User))
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
    Request.list(repos(opts), opts[:limit], Decode.to(RepoStorageInfo))
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
    do: Request.stream(repos(Options.validate!(opts, @repos)), Decode.to(RepoStorageInfo))

  defp repos(opts) do
    case opts[:organization] do
      nil -> Request.new(:get, "/api/settings/repositories", [], opts)
      name -> Request.new(:get, "/api/organizations/:name/settings/repositories", [name: name], opts)
    end
  end
end
