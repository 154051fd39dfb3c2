defmodule HfHub.Organizations do
  @moduledoc """
  Organizations of the Hub.

      {:ok, organization} = HfHub.Organizations.get("google")
      organization.num_models

  The repositories of an organization, with their sizes, are `HfHub.Users.list_repos/1` with `:organization`.
  """

  alias HfHub.{Error, Options, Request}
  alias HfHub.Users.{Organization, User}

  @get Options.common()

  @people [limit: [type: :pos_integer, doc: "Maximum number of users to return. Defaults to all."]] ++
            Options.common()

  @search [search: [type: :string, doc: "Text to search for in names and full names."]]

  @doc """
  Returns the overview of an organization: names, counts of members, repositories and followers.

  ## Options

  #{Options.docs(@get)}

  ## Examples

      {:ok, organization} = HfHub.Organizations.get("google")
      organization.num_users
  """
  @doc python: "get_organization_overview"
  @spec get(String.t(), keyword()) :: {:ok, Organization.t()} | {:error, Error.t()}
  def get(name, opts \\ []) do
    opts = Options.validate!(opts, @get)
    route(name, "overview", opts) |> Request.run(Organization)
  end

  @doc "Same as `get/2`, but returns the organization or raises `HfHub.Error`."
  @spec get!(String.t(), keyword()) :: Organization.t()
  def get!(name, opts \\ []), do: Error.unwrap!(get(name, opts))

  @doc """
  Returns the followers of an organization, the most recent one first.

  ## Options

  #{Options.docs(@people)}

  ## Examples

      {:ok, users} = HfHub.Organizations.list_followers("google", limit: 100)
      for user <- users, do: user.username
  """
  @doc python: "list_organization_followers"
  @spec list_followers(String.t(), keyword()) :: {:ok, [User.t()]} | {:error, Error.t()}
  def list_followers(name, opts \\ []) do
    opts = Options.validate!(opts, @people)
    Request.list(route(name, "followers", opts), opts[:limit], User)
  end

  @doc "Same as `list_followers/2`, but returns the users or raises `HfHub.Error`."
  @spec list_followers!(String.t(), keyword()) :: [User.t()]
  def list_followers!(name, opts \\ []), do: Error.unwrap!(list_followers(name, opts))

  @doc """
  Returns the followers of an organization as a lazy stream. Options: those of `list_followers/2` but `:limit`.

  ## Examples

      HfHub.Organizations.stream_followers("google") |> Enum.take(20)
  """
  @doc python: "list_organization_followers"
  @spec stream_followers(String.t(), keyword()) :: Enumerable.t()
  def stream_followers(name, opts \\ []) do
    opts = Options.validate!(opts, Options.common())
    Request.stream(route(name, "followers", opts), User)
  end

  @doc """
  Returns the members of an organization. Their roles are included for callers who are members, too.

  ## Options

  #{Options.docs(@search ++ @people)}

  ## Examples

      {:ok, members} = HfHub.Organizations.list_members("my-org")
      for %{role: :admin} = member <- members, do: member.username
  """
  @doc python: "list_organization_members"
  @spec list_members(String.t(), keyword()) :: {:ok, [User.t()]} | {:error, Error.t()}
  def list_members(name, opts \\ []) do
    opts = Options.validate!(opts, @search ++ @people)
    Request.list(members(name, opts), opts[:limit], User)
  end

  @doc "Same as `list_members/2`, but returns the users or raises `HfHub.Error`."
  @spec list_members!(String.t(), keyword()) :: [User.t()]
  def list_members!(name, opts \\ []), do: Error.unwrap!(list_members(name, opts))

  @doc """
  Returns the members of an organization as a lazy stream. Options: those of `list_members/2` but `:limit`.

  ## Examples

      HfHub.Organizations.stream_members("google", search: "julien") |> Enum.take(1)
  """
  @doc python: "list_organization_members"
  @spec stream_members(String.t(), keyword()) :: Enumerable.t()
  def stream_members(name, opts \\ []),
    do: Request.stream(members(name, Options.validate!(opts, @search ++ Options.common())), User)

  defp members(name, opts), do: route(name, "members", opts) |> Request.query(search: opts[:search])

  defp route(name, route, opts),
    do: Request.new(:get, "/api/organizations/:name/:route", [name: name, route: route], opts)
end
