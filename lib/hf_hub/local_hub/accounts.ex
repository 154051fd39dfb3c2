defmodule HfHub.LocalHub.Accounts do
  @moduledoc """
  Users, organizations, roles, tokens and followers of a Local Hub, for its administrator.

      {:ok, token} = HfHub.LocalHub.Accounts.add_user(hub, "ada", orgs: ["acme"])
      :ok = HfHub.LocalHub.Accounts.join(hub, "acme", "bob", role: :read)

      {:ok, [token | _]} = HfHub.LocalHub.Accounts.list_tokens(hub, "ada")
      :ok = HfHub.LocalHub.Accounts.revoke_token(hub, "ada", token.id)

  Changes have an effect at once, also on other processes that serve the same folder. The server executable has the same
  as commands: `hf_hub_server user --help`, `hf_hub_server org --help`. What accounts see of each other is in
  `HfHub.Users` and `HfHub.Organizations`.

  Errors, such as that of an account that does not exist, are of kind `:bad_request` and have the server's message.
  """

  alias HfHub.{Decode, Error, LocalHub, Options}
  alias HfHub.LocalHub.Token

  @role [type: {:in, [:admin, :write, :read]}, default: :write, doc: "Role: `:admin`, `:write` or `:read`."]

  @fullname [type: :string, doc: "Full name."]

  @add [
    fullname: @fullname,
    orgs: [
      type: {:list, :string},
      default: [],
      doc:
        "Organizations that the user joins, such as `\"acme\"`, or `\"acme:read\"` with a role. They are created if they do " <>
          "not exist."
    ],
    role: [
      type: {:in, [:write, :read]},
      default: :write,
      doc: "Permission of the token: `:write` or `:read`."
    ],
    token_name: [type: :string, default: "local", doc: "Name of the token."]
  ]

  @describe [fullname: @fullname, details: [type: :string, doc: "Text on the page of the account."]]

  @join [role: @role]

  @doc """
  Adds a user, or another token of an existing one. Returns the token, of which the Hub stores a digest only.

  ## Options

  #{Options.docs(@add)}

  ## Examples

      {:ok, "hf_" <> _rest} = HfHub.LocalHub.Accounts.add_user(hub, "ada", orgs: ["acme:admin"])
  """
  @spec add_user(LocalHub.hub(), String.t(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def add_user(hub, name, opts \\ []) do
    opts = Options.validate!(opts, @add)
    orgs = for org <- opts[:orgs], do: "--org=#{org}"
    token = ["--role=#{opts[:role]}", "--token-name=#{opts[:token_name]}"]
    LocalHub.command(hub, ["user", "add", name] ++ orgs ++ token ++ flags(opts, [:fullname]))
  end

  @doc "Same as `add_user/3`, but returns the token or raises `HfHub.Error`."
  @spec add_user!(LocalHub.hub(), String.t(), keyword()) :: String.t()
  def add_user!(hub, name, opts \\ []), do: Error.unwrap!(add_user(hub, name, opts))

  @doc """
  Changes the full name or the text of a user.

  ## Options

  #{Options.docs(@describe)}

  ## Examples

      HfHub.LocalHub.Accounts.set_user(hub, "ada", fullname: "Ada Lovelace")
      #=> :ok
  """
  @spec set_user(LocalHub.hub(), String.t(), keyword()) :: :ok | {:error, Error.t()}
  def set_user(hub, name, opts \\ []) do
    opts = Options.validate!(opts, @describe)
    run(hub, ["user", "set", name] ++ flags(opts, [:fullname, :details]))
  end

  @doc "Same as `set_user/3`, but raises `HfHub.Error` on failure."
  @spec set_user!(LocalHub.hub(), String.t(), keyword()) :: :ok
  def set_user!(hub, name, opts \\ []), do: Error.unwrap!(set_user(hub, name, opts))

  @doc """
  Removes a user with all tokens, likes, accepted access requests and ended jobs. A user who owns anything else, such as
  a repository, a bucket or a scheduled job, is an error.

  ## Examples

      HfHub.LocalHub.Accounts.remove_user(hub, "ada")
      #=> :ok
  """
  @spec remove_user(LocalHub.hub(), String.t()) :: :ok | {:error, Error.t()}
  def remove_user(hub, name), do: run(hub, ["user", "remove", name])

  @doc "Same as `remove_user/2`, but raises `HfHub.Error` on failure."
  @spec remove_user!(LocalHub.hub(), String.t()) :: :ok
  def remove_user!(hub, name), do: Error.unwrap!(remove_user(hub, name))

  @doc """
  Returns the tokens of a user, the oldest one first. The tokens themselves are not known to the Hub.

  ## Examples

      {:ok, tokens} = HfHub.LocalHub.Accounts.list_tokens(hub, "ada")
      for token <- tokens, do: {token.name, token.role, token.created_at}
  """
  @spec list_tokens(LocalHub.hub(), String.t()) :: {:ok, [Token.t()]} | {:error, Error.t()}
  def list_tokens(hub, user) do
    with {:ok, output} <- LocalHub.command(hub, ["user", "tokens", user]),
         do: {:ok, output |> String.split("\n", trim: true) |> Enum.map(&token/1)}
  end

  @doc "Same as `list_tokens/2`, but returns the tokens or raises `HfHub.Error`."
  @spec list_tokens!(LocalHub.hub(), String.t()) :: [Token.t()]
  def list_tokens!(hub, user), do: Error.unwrap!(list_tokens(hub, user))

  @doc """
  Revokes a token of a user, given by its id in `list_tokens/2`, or all of them with `:all`.

  ## Examples

      HfHub.LocalHub.Accounts.revoke_token(hub, "ada", "3f8a41c09d27")
      #=> :ok
  """
  @spec revoke_token(LocalHub.hub(), String.t(), String.t() | :all) :: :ok | {:error, Error.t()}
  def revoke_token(hub, user, :all), do: run(hub, ["user", "revoke", user, "--all"])
  def revoke_token(hub, user, id) when is_binary(id), do: run(hub, ["user", "revoke", user, id])

  @doc "Same as `revoke_token/3`, but raises `HfHub.Error` on failure."
  @spec revoke_token!(LocalHub.hub(), String.t(), String.t() | :all) :: :ok
  def revoke_token!(hub, user, id), do: Error.unwrap!(revoke_token(hub, user, id))

  @doc """
  Adds an organization, or changes an existing one.

  ## Options

  #{Options.docs(@describe)}

  ## Examples

      HfHub.LocalHub.Accounts.add_organization(hub, "acme", fullname: "Acme Corporation")
      #=> :ok
  """
  @spec add_organization(LocalHub.hub(), String.t(), keyword()) :: :ok | {:error, Error.t()}
  def add_organization(hub, name, opts \\ []) do
    opts = Options.validate!(opts, @describe)
    run(hub, ["org", "add", name] ++ flags(opts, [:fullname, :details]))
  end

  @doc "Same as `add_organization/3`, but raises `HfHub.Error` on failure."
  @spec add_organization!(LocalHub.hub(), String.t(), keyword()) :: :ok
  def add_organization!(hub, name, opts \\ []), do: Error.unwrap!(add_organization(hub, name, opts))

  @doc """
  Removes an organization with its ended jobs. One that owns anything else, such as a repository, a bucket or a
  scheduled job, is an error.

  ## Examples

      HfHub.LocalHub.Accounts.remove_organization(hub, "acme")
      #=> :ok
  """
  @spec remove_organization(LocalHub.hub(), String.t()) :: :ok | {:error, Error.t()}
  def remove_organization(hub, name), do: run(hub, ["org", "remove", name])

  @doc "Same as `remove_organization/2`, but raises `HfHub.Error` on failure."
  @spec remove_organization!(LocalHub.hub(), String.t()) :: :ok
  def remove_organization!(hub, name), do: Error.unwrap!(remove_organization(hub, name))

  @doc """
  Makes a user a member of an organization, or gives a member another role.

  ## Options

  #{Options.docs(@join)}

  ## Examples

      HfHub.LocalHub.Accounts.join(hub, "acme", "ada", role: :admin)
      #=> :ok
  """
  @spec join(LocalHub.hub(), String.t(), String.t(), keyword()) :: :ok | {:error, Error.t()}
  def join(hub, organization, user, opts \\ []) do
    opts = Options.validate!(opts, @join)
    run(hub, ["org", "join", organization, user, "--role=#{opts[:role]}"])
  end

  @doc "Same as `join/4`, but raises `HfHub.Error` on failure."
  @spec join!(LocalHub.hub(), String.t(), String.t(), keyword()) :: :ok
  def join!(hub, organization, user, opts \\ []), do: Error.unwrap!(join(hub, organization, user, opts))

  @doc """
  Ends the membership of a user in an organization.

  ## Examples

      HfHub.LocalHub.Accounts.leave(hub, "acme", "ada")
      #=> :ok
  """
  @spec leave(LocalHub.hub(), String.t(), String.t()) :: :ok | {:error, Error.t()}
  def leave(hub, organization, user), do: run(hub, ["org", "leave", organization, user])

  @doc "Same as `leave/3`, but raises `HfHub.Error` on failure."
  @spec leave!(LocalHub.hub(), String.t(), String.t()) :: :ok
  def leave!(hub, organization, user), do: Error.unwrap!(leave(hub, organization, user))

  @doc """
  Lets a user follow another user or an organization, for which the Hub has no documented route.

  ## Examples

      HfHub.LocalHub.Accounts.follow(hub, "ada", "acme")
      #=> :ok
  """
  @spec follow(LocalHub.hub(), String.t(), String.t()) :: :ok | {:error, Error.t()}
  def follow(hub, user, followed), do: run(hub, ["user", "follow", user, followed])

  @doc "Same as `follow/3`, but raises `HfHub.Error` on failure."
  @spec follow!(LocalHub.hub(), String.t(), String.t()) :: :ok
  def follow!(hub, user, followed), do: Error.unwrap!(follow(hub, user, followed))

  @doc """
  Ends what `follow/3` has begun.

  ## Examples

      HfHub.LocalHub.Accounts.unfollow(hub, "ada", "acme")
      #=> :ok
  """
  @spec unfollow(LocalHub.hub(), String.t(), String.t()) :: :ok | {:error, Error.t()}
  def unfollow(hub, user, followed), do: run(hub, ["user", "unfollow", user, followed])

  @doc "Same as `unfollow/3`, but raises `HfHub.Error` on failure."
  @spec unfollow!(LocalHub.hub(), String.t(), String.t()) :: :ok
  def unfollow!(hub, user, followed), do: Error.unwrap!(unfollow(hub, user, followed))

  defp run(hub, args), do: with({:ok, _output} <- LocalHub.command(hub, args), do: :ok)

  defp flags(opts, names), do: for(name <- names, value = opts[name], do: "--#{name}=#{value}")

  defp token(line) do
    [id, role, created_at, expires_at, name] = String.split(line, "\t", parts: 5)
    expires_at = if expires_at != "-", do: expires_at

    Decode.struct(Token, %{
      "id" => id,
      "role" => role,
      "createdAt" => created_at,
      "expiresAt" => expires_at,
      "name" => name
    })
  end
end
