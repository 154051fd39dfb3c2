defmodule HfHub.Auth do
  @moduledoc """
  Login, tokens, and their permissions.

      HfHub.Auth.login()
      HfHub.Auth.whoami!().name
      #=> "ann"

  Calls find the token themselves; `HfHub.Config` lists the sources, which include a Livebook secret named `HF_TOKEN`.
  `login/1` writes the files `token` and `stored_tokens` in `$HF_HOME`, which the Python client and its `hf auth`
  commands use too, so a login in one client is valid in the other. Only the owner can read these files, and they are
  replaced by a rename, never written in place.

  A token from a browser login expires. It is renewed automatically when a call uses it less than a day before that.

  ## Errors

  | `:kind` of the error | meaning | what to do |
  |---|---|---|
  | `:no_token` | no token was found | call `login/1`, or set `HF_TOKEN` |
  | `:unauthorized` | the token is mistyped, expired or revoked | create a new one; the message shows the source of this one |
  | `:forbidden` | the account has no permission, or the token's permissions are too narrow | `whoami/1` returns the token's role |
  | `:gated_repo` | the repository's terms have not been accepted | accept them on its page |
  | `:gated_pending` | the access request has not been decided | wait for the authors |
  | `:repo_not_found` | the repository does not exist or is private; the Hub does not distinguish the two | check the name and the token |

  Every message contains the URL of the page to go to.
  """

  alias HfHub.Auth.{Credentials, GitCredential, Login, Store, StoredToken, Whoami}
  alias HfHub.Config.{Source, Token}
  alias HfHub.{Config, Error, Memory, Options, Request}

  @whoami [
            cache: [
              type: :boolean,
              default: false,
              doc:
                "Whether to cache the result in this VM, per token and endpoint. The Hub limits the rate of this request."
            ]
          ] ++ Options.common()

  @login [
    token: [type: :string, secret: true, doc: "Token to log in with. Defaults to obtaining one by `:method`."],
    method: [
      type: {:in, [:browser, :paste]},
      doc:
        "How to obtain a token: `:browser` (confirm a code in a browser) or `:paste` (paste a token). Defaults to a " <>
          "prompt at a terminal, and to `:browser` in Livebook or with `:show`. Required elsewhere."
    ],
    show: [
      type: {:fun, 1},
      doc: "Function called with the `HfHub.Auth.DeviceCode` instead of printing it, for `method: :browser`."
    ],
    force: [
      type: :boolean,
      default: false,
      doc: "Whether to log in again if a token is already stored. Implied by `:token`."
    ],
    validate: [type: :boolean, default: true, no_effect: "the Hub validates every token"]
  ]

  @network Keyword.delete(Options.common(), :token)

  @git [
    add_to_git_credential: [
      type: :boolean,
      aliases: [:add_to_git_credentials],
      default: false,
      doc: "Whether to store the token in git's credential helper too, for `git push` to the Hub."
    ]
  ]

  @logout [
    name: [
      type: :string,
      aliases: [:token_name],
      doc: "Name of the stored token to remove. Defaults to all of them."
    ]
  ]
  @headers Keyword.take(Options.common(), [:token])

  @doc """
  Returns the account that the token belongs to, and the token's permissions.

  ## Options

  #{Options.docs(@whoami)}

  ## Examples

      {:ok, me} = HfHub.Auth.whoami(cache: true)
      {me.name, me.auth.role}
      #=> {"ann", :write}
  """
  @doc python: "whoami"
  @spec whoami(keyword()) :: {:ok, Whoami.t()} | {:error, Error.t()}
  def whoami(opts \\ []) do
    opts = Options.validate!(opts, @whoami)
    # The request requires a token, so a stored one is sent even with HF_HUB_DISABLE_IMPLICIT_TOKEN.
    opts = if opts[:token] == nil, do: Keyword.put(opts, :token, true), else: opts

    with {:ok, found} <- required(opts[:token]), do: identify(found, opts)
  end

  @doc false
  # For a token whose source is known.
  @spec identify(Token.found(), keyword()) :: {:ok, Whoami.t()} | {:error, Error.t()}
  def identify({text, _place} = found, opts) do
    key = Memory.key(:whoami, [opts[:endpoint] || Config.endpoint(), text])
    known = if opts[:cache], do: Memory.get(key)
    if known, do: {:ok, known}, else: ask(Keyword.put(opts, :token, found), key)
  end

  @doc "Same as `whoami/1`, but returns the account or raises `HfHub.Error`."
  @spec whoami!(keyword()) :: Whoami.t()
  def whoami!(opts \\ []), do: Error.unwrap!(whoami(opts))

  defp ask(opts, key) do
    case Request.new(:get, "/api/whoami-v2", [], opts) |> Request.run(Whoami) do
      {:ok, whoami} ->
        if opts[:cache], do: Memory.put(key, whoami)
        {:ok, whoami}

      {:error, %Error{kind: :rate_limited} = error} ->
        hint = "; the Hub limits the rate of this request: pass cache: true"
        {:error, %{error | message: error.message <> hint}}

      {:error, error} ->
        {:error, error}
    end
  end

  defp required(given) do
    case Credentials.find(given) do
      {:ok, nil} -> {:error, Credentials.missing()}
      found -> found
    end
  end

  @doc """
  Logs in: validates a token with the Hub and stores it for all Hugging Face clients on this machine.

  The token is the `:token` option, pasted at a terminal without echo, or created by confirming a code in a browser. It
  is stored under the name it has on the Hub and becomes the active token. If a token is already stored, the call does
  nothing without `:force` or `:token`.

  ## Options

  #{Options.docs(@login ++ @git ++ @network)}

  ## Examples

      HfHub.Auth.login(token: System.fetch_env!("MY_TOKEN"))
      #=> :ok

  A web application can show the code on a page:

      HfHub.Auth.login(
        method: :browser,
        show: fn code -> send(page, {:confirm, code.url, code.user_code}) end
      )
  """
  @doc python: "login"
  @spec login(keyword()) :: :ok | {:error, Error.t()}
  def login(opts \\ []), do: opts |> Options.validate!(@login ++ @git ++ @network) |> Login.run()

  @doc "Same as `login/1`, but raises `HfHub.Error` on failure."
  @spec login!(keyword()) :: :ok
  def login!(opts \\ []), do: done!(login(opts))

  @doc """
  Logs out: removes the stored tokens, for all Hugging Face clients on this machine, and the token of `set_token/1`.

  A token in an environment variable cannot be removed. If one remains, the result is an error of kind `:conflict` that
  names the variable.

  ## Options

  #{Options.docs(@logout)}

  ## Examples

      HfHub.Auth.logout()
      #=> :ok
  """
  @doc python: "logout"
  @spec logout(keyword()) :: :ok | {:error, Error.t()}
  def logout(opts \\ []) do
    opts = Options.validate!(opts, @logout)
    Memory.clear()

    if name = opts[:name] do
      Store.delete(name)
    else
      Source.delete(:token)
      GitCredential.erase()
      with :ok <- Store.clear(), do: logged_out(Credentials.stored())
    end
  end

  @doc "Same as `logout/1`, but raises `HfHub.Error` on failure."
  @spec logout!(keyword()) :: :ok
  def logout!(opts \\ []), do: done!(logout(opts))

  defp logged_out(nil), do: :ok

  defp logged_out({_text, place}) do
    message =
      "removed the stored tokens, but calls still send the token of #{Token.place(place)}; unset it to log out"

    {:error, Error.new(:conflict, message)}
  end

  @doc """
  Returns the token that calls send, from the first source that has one; see `HfHub.Config`.

  The token is not validated; `whoami/1` does that.

  ## Examples

      case HfHub.Auth.get_token() do
        {:ok, token} -> token
        {:error, %HfHub.Error{kind: :no_token}} -> nil
      end
  """
  @doc python: "get_token"
  @spec get_token() :: {:ok, String.t()} | {:error, Error.t()}
  def get_token, do: with({:ok, {text, _place}} <- Credentials.find(true), do: {:ok, text})

  @doc "Same as `get_token/0`, but returns the token or raises `HfHub.Error`."
  @spec get_token!() :: String.t()
  def get_token!, do: Error.unwrap!(get_token())

  @doc """
  Sets the token for this VM, as `config :hf_hub, token: …` does. The token is neither validated nor stored on disk.

  ## Examples

      iex> HfHub.Auth.set_token("hf_doctest")
      iex> HfHub.Auth.get_token()
      {:ok, "hf_doctest"}
  """
  @spec set_token(String.t()) :: :ok
  def set_token(token), do: Source.put(:token, token!(token))

  @doc """
  Validates a token with the Hub.

  An invalid token is an error of kind `:unauthorized`. Errors of other kinds, such as `:transport`, do not mean that
  the token is invalid.

  ## Options

  #{Options.docs(@network)}

  ## Examples

      HfHub.Auth.validate_token("hf_mistyped")
      #=> {:error, %HfHub.Error{kind: :unauthorized, …}}
  """
  @spec validate_token(String.t(), keyword()) :: :ok | {:error, Error.t()}
  def validate_token(token, opts \\ []) do
    opts = Options.validate!(opts, @network)
    with {:ok, _whoami} <- whoami([token: token!(token)] ++ opts), do: :ok
  end

  @doc "Same as `validate_token/2`, but raises `HfHub.Error` on failure."
  @spec validate_token!(String.t(), keyword()) :: :ok
  def validate_token!(token, opts \\ []), do: done!(validate_token(token, opts))

  @doc """
  Returns the headers that authenticate a request to the Hub, for use with another HTTP client. The list is empty if
  there is no token.

  Send these headers only to the Hub.

  ## Options

  #{Options.docs(@headers)}

  ## Examples

      iex> HfHub.Auth.auth_headers(token: "hf_example")
      {:ok, [{"authorization", "Bearer hf_example"}]}

      iex> HfHub.Auth.auth_headers(token: false)
      {:ok, []}
  """
  @doc python: "build_hf_headers"
  @spec auth_headers(keyword()) :: {:ok, [{String.t(), String.t()}]} | {:error, Error.t()}
  def auth_headers(opts \\ []) do
    opts = Options.validate!(opts, @headers)

    with {:ok, found} <- Credentials.find(opts[:token]) do
      {:ok, if(found, do: [{"authorization", "Bearer " <> elem(found, 0)}], else: [])}
    end
  end

  @doc "Same as `auth_headers/1`, but returns the headers or raises `HfHub.Error`."
  @spec auth_headers!(keyword()) :: [{String.t(), String.t()}]
  def auth_headers!(opts \\ []), do: Error.unwrap!(auth_headers(opts))

  @doc """
  Returns the tokens that are stored on this machine, by this library or another Hugging Face client.

  ## Examples

      HfHub.Auth.list_tokens()
      #=> {:ok, [#HfHub.Auth.StoredToken<"laptop", hf_****Qx3f, in use>, …]}
  """
  @doc python: "auth_list"
  @spec list_tokens() :: {:ok, [StoredToken.t()]} | {:error, Error.t()}
  def list_tokens do
    # First, because it may renew a stored token.
    used = with {text, _place} <- Credentials.stored(), do: text

    with {:ok, tokens} <- Store.list() do
      {:ok, for(stored <- tokens, do: %{stored | in_use: stored.token == used})}
    end
  end

  @doc "Same as `list_tokens/0`, but returns the tokens or raises `HfHub.Error`."
  @spec list_tokens!() :: [StoredToken.t()]
  def list_tokens!, do: Error.unwrap!(list_tokens())

  @doc """
  Makes a stored token the active one, for all Hugging Face clients on this machine.

  ## Options

  #{Options.docs(@git)}

  ## Examples

      HfHub.Auth.switch("laptop")
      #=> :ok
  """
  @doc python: "auth_switch"
  @spec switch(String.t(), keyword()) :: :ok | {:error, Error.t()}
  def switch(name, opts \\ []) do
    opts = Options.validate!(opts, @git)

    with {:ok, stored} <- Store.activate(string!(name, "the name of a stored token")) do
      if opts[:add_to_git_credential], do: GitCredential.store(stored.token)
      Login.warn_of_others(stored.token)
    end
  end

  @doc "Same as `switch/2`, but raises `HfHub.Error` on failure."
  @spec switch!(String.t(), keyword()) :: :ok
  def switch!(name, opts \\ []), do: done!(switch(name, opts))

  defp token!(token), do: string!(token, "a token")

  # Not a guard: the stack trace of a FunctionClauseError shows the arguments.
  defp string!(text, _what) when is_binary(text), do: text

  defp string!(other, what),
    do: raise(ArgumentError, "expected #{what} as a string, got #{Options.sort(other)}")

  defp done!(:ok), do: :ok
  defp done!({:error, error}), do: raise(error)
end
