defmodule HfHub.Webhooks.WebhookInfo do
  @moduledoc """
  A webhook. Python: `WebhookInfo`.

  Events are sent to `:url`, or trigger the Job `:job`. The secret is neither inspected nor encoded as JSON.
  """

  alias HfHub.Brief
  alias HfHub.Webhooks.WatchedItem

  use HfHub.Schema,
    id: {"id", :name, "id of the webhook"},
    url: {"url", :string, "URL that the events are sent to"},
    job:
      {"job", :map, "specification of the Job that the events trigger; a map with string keys", json: false},
    job_id: {"jobSourceId", :string, "id of the Job that `:job` was copied from"},
    watched: {"watched", [WatchedItem], "what is watched", default: []},
    domains: {"domains", [{:enum, [:repo, :discussion]}], "kinds of events", default: []},
    secret: {"secret", :string, "secret that is sent with each event", json: false},
    disabled:
      {"disabled", {:enum, [true, false, suspended_after_failure: "suspended-after-failure"]},
       "whether no events are sent, or `:suspended_after_failure` if too many could not be delivered"},
    created_at: {"createdAt", :datetime, "time of the creation, where the Hub sends it"},
    last_trigger_at: {"lastTriggerAt", :datetime, "time of the last event"}

  HfHub.Schema.from_response("""
      iex> webhook = %{
      ...>   "id" => "654bbbc16f2ec14d77f109cc",
      ...>   "url" => "https://example.com/",
      ...>   "domains" => ["repo"]
      ...> }
      iex> HfHub.Webhooks.WebhookInfo.from_response(webhook).domains
      [:repo]
  """)

  defimpl Inspect do
    def inspect(webhook, _opts) do
      state = if webhook.disabled, do: if(webhook.disabled == true, do: :disabled, else: webhook.disabled)
      Brief.line(webhook, [webhook.id, webhook.url || webhook.job_id, state])
    end
  end
end
