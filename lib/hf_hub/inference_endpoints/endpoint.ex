defmodule HfHub.InferenceEndpoints.Endpoint do
  @moduledoc """
  A deployed model. Python: `InferenceEndpoint`.

  New states and types of the service are strings.
  """

  alias HfHub.Brief
  alias HfHub.InferenceEndpoints.{ComputeConfig, ModelConfig, ProviderConfig}

  @states [
    :pending,
    :initializing,
    :updating,
    :running,
    :paused,
    :failed,
    update_failed: "updateFailed",
    scaled_to_zero: "scaledToZero"
  ]

  use HfHub.Schema,
    name: {"name", :name, "name of the endpoint"},
    namespace: {"namespace", :string, "user or organization that owns it"},
    status: {["status", "state"], {:enum, @states}, "state"},
    message: {["status", "message"], :string, "reason of the state"},
    url: {["status", "url"], :string, "address of the model's server, once it is deployed"},
    health_route: {"healthRoute", :string, "path of the health check below `:url`"},
    model: {"model", ModelConfig, "deployed model"},
    compute: {"compute", ComputeConfig, "hardware"},
    provider: {"provider", ProviderConfig, "cloud provider"},
    type:
      {"type", {:enum, [:public, :protected, :authenticated, :private]}, "clients that may send requests"},
    ready_replica: {["status", "readyReplica"], :integer, "number of replicas that are ready"},
    target_replica: {["status", "targetReplica"], :integer, "number of replicas that will be ready"},
    private_service_name:
      {["status", "private", "serviceName"], :string, "name of the service in a private network"},
    route: {"route", :map, "domain and path of your own; a map with string keys"},
    cache_http_responses: {"cacheHttpResponses", :boolean, "whether HTTP responses are cached"},
    tags: {"tags", [:string], "tags", default: []},
    created_at: {["status", "createdAt"], :datetime, "time of creation"},
    updated_at: {["status", "updatedAt"], :datetime, "time of the last update"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> json = %{"name" => "my-bert", "status" => %{"state" => "scaledToZero"}}
      iex> HfHub.InferenceEndpoints.Endpoint.from_response(json).status
      :scaled_to_zero
  """)

  defimpl Inspect do
    def inspect(endpoint, _opts) do
      repository = if is_map(endpoint.model), do: endpoint.model.repository
      Brief.line(endpoint, [endpoint.name, endpoint.status, repository])
    end
  end
end
