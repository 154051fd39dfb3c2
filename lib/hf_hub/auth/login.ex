defmodule HfHub.Auth.Login do
  # Obtains a token (from the option, a prompt or a browser login), validates and stores it.
  @moduledoc false

  require Logger

  alias HfHub.Auth.{Credentials, GitCredential, OAuth, Prompt, Store}
  alias HfHub.Config.Token
  alias HfHub.{Auth, Config, Error}
  alias HfHub.Progress.Reporter

  @doc "Logs in by the method that the options name."
  @spec run(keyword()) :: :ok | {:error, Error.t()}
  def run(opts) do
    network = Keyword.drop(opts, [:method, :show, :force, :token, :add_to_git_credential])
    stored = if opts[:token] == nil and not opts[:force], do: Credentials.stored()

    with :ok <- log_in(stored, opts, network) do
      if opts[:add_to_git_credential] && !stored, do: tell_git(network)
      :ok
    end
  end

  defp tell_git(network) do
    with {token, _place} <- Token.file() do
      GitCredential.store(token, network[:endpoint] || Config.endpoint())
    end
  end

  defp log_in(stored, opts, network) do
    cond do
      opts[:token] -> store([{"hf_token", Token.clean(opts[:token]) || ""}], :option, network)
      stored -> logged_in_already(stored)
      true -> with {:ok, method} <- method(opts), do: obtain(method, opts, network)
    end
  end

  @doc "Logs a warning if calls send another token than the stored one."
  @spec warn_of_others(String.t()) :: :ok
  def warn_of_others(token) do
    case Credentials.stored() do
      {other, place} when other != token ->
        Logger.warning("calls send the token of #{Token.place(place)} instead of the stored one")

      _same ->
        :ok
    end
  end

  defp logged_in_already({_text, place}) do
    IO.puts("Already logged in with the token of #{Token.place(place)}. Pass force: true to log in again.")
  end

  defp method(opts) do
    cond do
      method = opts[:method] -> {:ok, method}
      Prompt.terminal?() -> {:ok, choice()}
      # A page or a Livebook shows the code to the user.
      opts[:show] || Reporter.livebook?() -> {:ok, :browser}
      true -> {:error, Error.new(:no_token, no_terminal())}
    end
  end

  defp choice do
    choices = ["with your browser, on this or another machine", "by pasting a token"]
    Enum.at([:browser, :paste], Prompt.choose("How would you like to log in?", choices) - 1)
  end

  defp no_terminal do
    "cannot prompt for a login without a terminal; set HF_TOKEN (in Livebook the secret HF_TOKEN, LB_HF_TOKEN), or pass :token or method: :browser"
  end

  defp obtain(:paste, _opts, network) do
    IO.puts("Create a token at #{network[:endpoint] || Config.endpoint()}/settings/tokens")

    with {:ok, text} <- Prompt.secret("Token (input is hidden): ") do
      done(store([{"hf_token", Token.clean(text) || ""}], :prompt, network))
    end
  end

  defp obtain(:browser, opts, network) do
    show = opts[:show] || (&print/1)

    with {:ok, code} <- OAuth.begin(network),
         _shown = show.(code),
         {:ok, fields} <- OAuth.await(code, network),
         :ok <- store(fields, :browser, network) do
      if opts[:show], do: :ok, else: done(:ok)
    end
  end

  defp print(code) do
    IO.puts("""

        Open this page in your browser:
            #{printable(code.url)}

        and enter the code: #{printable(code.user_code)}

    Waiting ...
    """)
  end

  # The text comes from the network and may contain control sequences.
  defp printable(text), do: String.replace(text, ~r/[[:cntrl:]]/u, "")

  defp done(:ok), do: IO.puts("Logged in.")
  defp done(error), do: error

  defp store([{"hf_token", text} | _more] = fields, place, network) do
    with :ok <- check(text),
         {:ok, whoami} <- Auth.identify({text, place}, [cache: true] ++ network),
         name = HfHub.Auth.Ini.name(whoami.auth.name || "oauth-#{whoami.name}"),
         :ok <- Store.put(name, fields),
         {:ok, _stored} <- Store.activate(name),
         do: warn_of_others(text)
  end

  defp check(""), do: {:error, Error.new(:no_token, "the token is empty")}

  defp check("api_org" <> _rest) do
    {:error, Error.new(:unauthorized, "an organization's token cannot log in; use a token of your account")}
  end

  defp check(_text), do: :ok
end
