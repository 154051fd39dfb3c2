defmodule HfHub.Users do
  @moduledoc """
  Users of the Hub.

      {:ok, user} = HfHub.Users.get("julien-c")
      user.num_models
  """

  alias HfHub.{Decode, Error, Options, Request}
  alias HfHub.Users.User

  @get Options.common()

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
end
