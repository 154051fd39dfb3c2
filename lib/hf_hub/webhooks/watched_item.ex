defmodule HfHub.Webhooks.WatchedItem do
  @moduledoc """
  Something that a webhook watches: a repository, or all repositories of an account. Python: `WebhookWatchedItem`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    type: {"type", {:enum, [:bucket, :dataset, :model, :org, :space, :user]}, "what is watched"},
    name: {"name", :name, "id of the repository, or name of the account"}

  HfHub.Schema.from_response("""
      iex> HfHub.Webhooks.WatchedItem.from_response(%{"type" => "org", "name" => "google"}).type
      :org
  """)

  defimpl Inspect do
    def inspect(item, _opts), do: Brief.line(item, [item.type, item.name])
  end
end
