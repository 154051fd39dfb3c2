defmodule HfHub.Inference.Client do
  @moduledoc """
  What `HfHub.Inference` calls: a model, its provider, and how to connect. Made by `HfHub.Inference.new/1`.

  It has no state, so processes may share it.
  """

  # Options contain tokens, and headers may.
  @derive {Inspect, only: [:model, :provider]}

  use HfHub.Schema,
    model: {{:or, [:string, nil]}, "id of the model on the Hub, or the URL of a server"},
    provider: {:string, "name of the provider, or `\"auto\"`"},
    bill_to: {{:or, [:string, nil]}, "organization to bill"},
    provider_url: {{:or, [:string, nil]}, "base URL of the provider's API, in place of its public one"},
    headers: {{:map, :string}, "more headers of each request", json: false},
    opts: {:any, "other options of `HfHub.Inference.new/1`, as a keyword list", json: false}
end
