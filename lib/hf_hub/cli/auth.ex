defmodule HfHub.CLI.Auth do
  # Logins and stored tokens.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.Auth
  alias HfHub.Auth.Prompt
  alias HfHub.CLI.{Call, Command}
  alias HfHub.Config.Token

  @git [
    add_to_git_credential: [
      type: :boolean,
      negatable: true,
      doc: "Stores the token in the credential helper of git too, for `git push`"
    ]
  ]

  @impl true
  def noun, do: [name: "auth", summary: "Manages logins and stored tokens"]

  @impl true
  def commands do
    [
      command("login", &login/1,
        summary: "Logs in: stores a token for all Hugging Face clients on this machine",
        details:
          "Without `--token`, the command asks at the terminal how to log in: with a browser, or by pasting a token, " <>
            "which is read without echo.",
        flags:
          [force: [type: :boolean, negatable: true, doc: "Logs in again if a token is stored already"]] ++
            @git,
        examples: ["", "--token $HF_TOKEN"]
      ),
      command("logout", &logout/1,
        summary: "Removes all stored tokens, or one",
        flags: [token_name: [type: :string, doc: "Name of the token to remove. Defaults to all"]],
        hub: false
      ),
      command("whoami", &whoami/1, summary: "Shows the account of the token in use"),
      command("list", &list/1, summary: "Lists the stored tokens, masked", aliases: ["ls"], hub: false),
      command("switch", &switch/1,
        summary: "Makes a stored token the active one",
        flags:
          [
            token_name: [
              type: :string,
              doc: "Name of the token. Without it, the command asks at the terminal"
            ]
          ] ++ @git,
        hub: false
      ),
      command("token", &token/1, summary: "Prints the token in use, which is a secret", hub: false)
    ]
  end

  defp command(word, run, fields),
    do: struct!(Command, [words: [word], run: run, hf: "auth #{word}"] ++ fields)

  defp login(call) do
    cond do
      call.flags[:token] == nil and call.output.mode not in [:human, :agent] ->
        {:error, "a login without --token is interactive, and has no --json and --quiet"}

      call.flags[:token] == nil and not (call.flags[:force] || false) and stored?() ->
        {:note, "Already logged in. Pass --force to log in again."}

      true ->
        with :ok <- Auth.login(Call.options(call, [:add_to_git_credential, :force])), do: logged_in(call)
    end
  end

  defp stored?, do: match?({:ok, _token}, Auth.get_token())

  # The stored token, not one of the environment that calls may still send.
  defp logged_in(call) do
    {text, _place} = Token.file()

    with {:ok, account} <- Auth.whoami([token: text] ++ Keyword.delete(Call.options(call), :token)),
         do: {:done, "Logged in", user: account.name, token_name: account.auth.name}
  end

  defp logout(call) do
    name = if call.flags[:token_name], do: [name: call.flags[:token_name]], else: []

    if stored?() or match?({:ok, [_ | _]}, Auth.list_tokens()) do
      with :ok <- Auth.logout(name), do: {:note, logged_out(name)}
    else
      {:warning, "not logged in"}
    end
  end

  defp logged_out([]), do: "Logged out of all tokens."
  defp logged_out(name: name), do: "Logged out of the token #{name}."

  defp whoami(call) do
    if call.flags[:token] == nil and not stored?() do
      not_logged_in()
    else
      with {:ok, account} <- Auth.whoami(Call.options(call)) do
        orgs = Enum.map_join(account.orgs, ",", & &1.name)
        endpoint = Call.endpoint(call)

        {:done, "Logged in",
         user: account.name,
         orgs: if(orgs != "", do: orgs),
         endpoint: if(endpoint != "https://huggingface.co", do: endpoint)}
      end
    end
  end

  defp not_logged_in, do: {:error, "not logged in; log in with auth login, or set HF_TOKEN"}

  defp list(_call) do
    with {:ok, tokens} <- Auth.list_tokens() do
      rows =
        for token <- tokens do
          [
            {"name", token.name},
            {"token", Token.mask(token.token)},
            {"active", token.in_use},
            {"expires", token.expires_at}
          ]
        end

      [{:table, rows, id: "name"} | if(Token.environment(), do: [{:note, environment()}], else: [])]
    end
  end

  defp environment, do: "Note: the token of the environment is in use, whatever is stored."

  defp switch(call) do
    with {:ok, name} <- chosen(call),
         :ok <- Auth.switch(name, Call.options(call, [:add_to_git_credential])),
         do: {:note, "The active token is #{name}."}
  end

  defp chosen(%{flags: %{token_name: name}}), do: {:ok, name}

  defp chosen(call) do
    with {:ok, tokens} <- Auth.list_tokens() do
      names = Enum.map(tokens, & &1.name)

      cond do
        names == [] ->
          {:error, "no token is stored; log in with auth login"}

        call.output.mode != :human or not Prompt.terminal?() ->
          {:error, "pass --token-name without a terminal"}

        true ->
          {:ok, Enum.at(names, Prompt.choose("Which token should be used?", names) - 1)}
      end
    end
  end

  defp token(_call) do
    case Auth.get_token() do
      {:ok, token} -> {:raw, token}
      {:error, _none} -> not_logged_in()
    end
  end
end
