defmodule HfHub.Auth do
  @moduledoc """
  Who you are to the Hub: logging in, tokens, and what they may do.

      HfHub.Auth.login()
      HfHub.Auth.whoami!().name
      #=> "ann"

  A token is found without your help: `HfHub.Config` lists the places. The files that `login/1` writes, `token` and
  `stored_tokens` in `$HF_HOME`, are those of Python's client and its `hf auth` commands: log in there or here.
  Only their owner may read them, and they are replaced whole, never written in place.

  A token from a login by browser expires. It is renewed by itself, when it is used and less than a day is left.

  ## When the Hub refuses

  | `:kind` of the error | what it means | what to do |
  |---|---|---|
  | `:no_token` | nobody is logged in | `login/1`, or set `HF_TOKEN` |
  | `:unauthorized` | the token is mistyped, expired or revoked | make another; the message says where this one came from |
  | `:forbidden` | the account may not do this, or the token's permissions are too narrow | `whoami/1` tells its role |
  | `:gated_repo` | the repository's terms are not accepted | accept them on its page |
  | `:gated_pending` | access was asked for | wait for the authors |
  | `:repo_not_found` | it is not there, or private: the Hub does not say which | check the name, and the token |

  Every message names the page to go to.

  In Livebook, a secret named `HF_TOKEN` is found too.
  """

  alias HfHub.Auth.{Credentials, GitCredential, Login, Memory, Store, StoredToken, Whoami}
  alias HfHub.Config.{Source, Token}
  alias HfHub.{Config, Decode, Error, Options, Request}

  @whoami [
            cache: [
              type: :boolean,
              default: false,
              doc:
                "remember the answer in this VM, for this token and endpoint. The Hub allows this question rarely."
            ]
          ] ++ Options.common()

  @login [
    token: [type: :string, doc: "the token."],
    method: [
      type: {:in, [:browser, :paste]},
      doc:
        "how to get a token where none is given: confirm a code in a browser, or paste one. " <>
          "Defaults to asking at a terminal and to the browser in Livebook or with `:show`; elsewhere it is required."
    ],
    show: [
      type: {:fun, 1},
      doc: "gets the `HfHub.Auth.DeviceCode` to show instead of printing it, with `method: :browser`."
    ],
    force: [
      type: :boolean,
      default: false,
      doc: "whether to log in anew where somebody is logged in. A `:token` that is given counts in any case."
    ]
  ]

  @network Keyword.delete(Options.common(), :token)

  @git [
    add_to_git_credential: [
      type: :boolean,
      default: false,
      doc: "whether git gets the token, too, for pushing to the Hub."
    ]
  ]

  @logout [name: [type: :string, doc: "only this stored token. By default all of them."]]
  @headers Keyword.take(Options.common(), [:token])

  @doc """
  Returns whose token it is and what it may do.

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
    # The question makes no sense without a token, so one that is never sent unasked counts, too.
    opts = if opts[:token] == nil, do: Keyword.put(opts, :token, true), else: opts

    with {:ok, found} <- required(opts[:token]), do: identify(found, opts)
  end

  @doc false
  # For a token whose place is known.
  @spec identify(Token.found(), keyword()) :: {:ok, Whoami.t()} | {:error, Error.t()}
  def identify({text, _place} = found, opts) do
    key = Memory.key(:whoami, [opts[:endpoint] || Config.endpoint(), text])
    known = if opts[:cache], do: Memory.get(key)
    if known, do: {:ok, known}, else: ask(Keyword.put(opts, :token, found), key)
  end

  @doc "Same as `whoami/1`, but returns the answer or raises `HfHub.Error`."
  @spec whoami!(keyword()) :: Whoami.t()
  def whoami!(opts \\ []), do: Error.unwrap!(whoami(opts))

  defp ask(opts, key) do
    case Request.new(:get, "/api/whoami-v2", [], opts) |> Request.run(Decode.to(Whoami)) do
      {:ok, whoami} ->
        if opts[:cache], do: Memory.put(key, whoami)
        {:ok, whoami}

      {:error, %Error{kind: :rate_limited} = error} ->
        hint = "; the Hub allows this question rarely, on purpose: ask it with cache: true"
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
  Logs this machine in: checks a token with the Hub and stores it for all Hugging Face clients.

  The token is given, pasted at a terminal, which does not show it, or made by confirming a code in a browser. It is stored under the
  name it has on the Hub and becomes the one in use. Where somebody is logged in already, nothing happens without
  `:force` or a `:token`.

  ## Options

  #{Options.docs(@login ++ @git ++ @network)}

  ## Examples

      HfHub.Auth.login(token: System.fetch_env!("MY_TOKEN"))
      #=> :ok

  In a web application, a page can show the code:

      HfHub.Auth.login(method: :browser, show: fn code -> send(page, {:confirm, code.url, code.user_code}) end)
  """
  @doc python: "login"
  @spec login(keyword()) :: :ok | {:error, Error.t()}
  def login(opts \\ []), do: opts |> Options.validate!(@login ++ @git ++ @network) |> Login.run()

  @doc "Same as `login/1`, but raises `HfHub.Error`."
  @spec login!(keyword()) :: :ok
  def login!(opts \\ []), do: done!(login(opts))

  @doc """
  Logs this machine out: removes the stored tokens, for all Hugging Face clients, and what `set_token/1` has set.

  A token that a variable holds cannot be removed; if one is left, that is an error of kind `:conflict`, which names it.

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

  @doc "Same as `logout/1`, but raises `HfHub.Error`."
  @spec logout!(keyword()) :: :ok
  def logout!(opts \\ []), do: done!(logout(opts))

  defp logged_out(nil), do: :ok

  defp logged_out({_text, place}) do
    message =
      "the stored tokens are removed, but #{Token.place(place)} still holds one that is sent; unset it to log out"

    {:error, Error.new(:conflict, message)}
  end

  @doc """
  Returns the token that calls send, from wherever it is found first; see `HfHub.Config`.

  Whether the Hub knows it is another question: `whoami/1`.

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
  Sets the token for this VM, as `config :hf_hub, token: …` does, and until it ends. Nothing is checked or stored.

  ## Examples

      iex> HfHub.Auth.set_token("hf_doctest")
      iex> HfHub.Auth.get_token()
      {:ok, "hf_doctest"}
  """
  @spec set_token(String.t()) :: :ok
  def set_token(token), do: Source.put(:token, token!(token))

  @doc """
  Asks the Hub whether it knows a token. One it does not know is an error of kind `:unauthorized`.

  Other kinds say nothing about the token: `:transport`, for instance, that the Hub could not be asked.

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

  @doc "Same as `validate_token/2`, but raises `HfHub.Error`."
  @spec validate_token!(String.t(), keyword()) :: :ok
  def validate_token!(token, opts \\ []), do: done!(validate_token(token, opts))

  @doc """
  Returns the headers that show the token to the Hub, for requests of your own; none where there is no token.

  Send them to the Hub and to nobody else.

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
  Returns the tokens that are stored on this machine, by whichever client.

  ## Examples

      HfHub.Auth.list_tokens()
      #=> {:ok, [#HfHub.Auth.StoredToken<"laptop", hf_****Qx3f, in use>, …]}
  """
  @doc python: "auth_list"
  @spec list_tokens() :: {:ok, [StoredToken.t()]} | {:error, Error.t()}
  def list_tokens do
    # First, because it may renew what is stored.
    used = with {text, _place} <- Credentials.stored(), do: text

    with {:ok, tokens} <- Store.list() do
      {:ok, for(stored <- tokens, do: %{stored | in_use: stored.token == used})}
    end
  end

  @doc "Same as `list_tokens/0`, but returns the tokens or raises `HfHub.Error`."
  @spec list_tokens!() :: [StoredToken.t()]
  def list_tokens!, do: Error.unwrap!(list_tokens())

  @doc """
  Makes a stored token the one in use, for all Hugging Face clients on this machine.

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

  @doc "Same as `switch/2`, but raises `HfHub.Error`."
  @spec switch!(String.t(), keyword()) :: :ok
  def switch!(name, opts \\ []), do: done!(switch(name, opts))

  defp token!(token), do: string!(token, "a token")

  # Not a guard: the stack trace of a clause that is missing shows the arguments.
  defp string!(text, _what) when is_binary(text), do: text

  defp string!(other, what),
    do: raise(ArgumentError, "expected #{what} as a string, got #{Options.sort(other)}")

  defp done!(:ok), do: :ok
  defp done!({:error, error}), do: raise(error)
end
