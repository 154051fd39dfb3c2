defmodule HfHub.CLI.Wording do
  # Messages of the library name its functions and options; a user of a command reads commands and flags instead.
  @moduledoc false

  alias HfHub.CLI.Command
  alias HfHub.Error

  # In this order: a later phrase may be part of an earlier one.
  @phrases [
    {"run HfHub.Auth.login(), set HF_TOKEN (in Livebook the secret HF_TOKEN, LB_HF_TOKEN) or pass :token",
     "run auth login, set HF_TOKEN or pass --token"},
    {"HfHub.Discussions.list(repo_id) returns those that exist, and HfHub.Discussions.get(repo_id, num) the comments of one",
     "discussions list shows those that exist, and discussions info the comments of one"},
    {"with write access, HfHub.Repo.update_settings(repo_id, discussions_disabled: false) enables them",
     "the owner can enable them on the settings page of the repository"},
    {"HfHub.Discussions.change_status(repo_id, num, :open)", "discussions reopen"},
    {"HfHub.Discussions.reopen(repo_id, num)", "discussions reopen"},
    {"HfHub.Cache.adopt/1 or mix hf_hub.cache adopt moves", "cache adopt moves"},
    {"call HfHub.Cache.validate_integrity/1 with repair: true", "run cache verify --repair"},
    {"call HfHub.Cache.prune/1", "run cache prune"},
    {"HfHub.Auth.login()", "auth login"},
    {"HfHub.Repo.create/2", "repo create"},
    {"HfHub.Buckets.create/2", "buckets create"},
    {"HfHub.Buckets.copy/3 copies files on the Hub", "cp copies files on the Hub"},
    {"; HfHub.Buckets has the functions for buckets", "; buckets has the commands for them"},
    {"HfHub.Config.explain()", "env"},
    {":allow_patterns", "--include"},
    {":ignore_patterns", "--exclude"}
  ]

  @doc "Returns an error whose message is about a command."
  @spec of(Error.t() | String.t(), Command.t()) :: Error.t() | String.t()
  def of(%Error{} = error, command), do: %{error | message: of(error.message, command)}

  def of(message, command) do
    message = Enum.reduce(@phrases, message, fn {from, to}, text -> String.replace(text, from, to) end)
    Enum.reduce(Command.flags(command), message, &flag/2)
  end

  # `:name`, `option :name` and `name: true`.
  defp flag({name, _rule} = flag, text) do
    spelling = "--" <> hd(Command.spellings(flag))

    text
    |> String.replace(~r/(?<![\w:"])(?:option )?`?:#{name}\b`?/, spelling)
    |> String.replace(~r/(?<![\w:"])#{name}: true\b/, spelling)
    |> String.replace(~r/(?<![\w:"])#{name}: :(?=[a-z])/, spelling <> " ")
  end
end
