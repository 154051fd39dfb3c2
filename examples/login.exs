# Logs in with the token in HF_TOKEN, shows whose it is, and logs out.
Code.require_file("support/example.exs", __DIR__)
Example.start()

# In files of its own, because a login replaces the one of the user.
token = System.fetch_env!("HF_TOKEN")
tokens = System.get_env("HF_TOKEN_PATH")
System.delete_env("HF_TOKEN")
System.put_env("HF_TOKEN_PATH", Path.join(Example.folder(), "token"))

case HfHub.Auth.login(token: token, validate: true) do
  :ok ->
    {:ok, user} = HfHub.Auth.whoami()
    IO.puts("Logged in as #{user.name} (#{user.email || "no email"}), role #{user.auth.role}")
    IO.puts("Organizations: #{Enum.map_join(user.orgs, ", ", & &1.name)}")
    {:ok, stored} = HfHub.Auth.list_tokens()
    for token <- stored, do: IO.puts("Stored: #{inspect(token)}")
    :ok = HfHub.Auth.logout()
    {:error, error} = HfHub.Auth.get_token()
    IO.puts("Logged out: #{error.kind}")

  {:error, reason} ->
    IO.puts("Error: #{inspect(reason)}")
end

{:error, error} = HfHub.Auth.login(token: "hf_mistyped")
IO.puts("A mistyped token: #{Exception.message(error)}")

System.put_env("HF_TOKEN", token)
if tokens, do: System.put_env("HF_TOKEN_PATH", tokens), else: System.delete_env("HF_TOKEN_PATH")
