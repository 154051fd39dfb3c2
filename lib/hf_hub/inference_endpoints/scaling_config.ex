defmodule HfHub.InferenceEndpoints.ScalingConfig do
  @moduledoc """
  The numbers of replicas of an endpoint.
  """

  use HfHub.Schema,
    min_replica: {"minReplica", :integer, "minimum number of replicas"},
    max_replica: {"maxReplica", :integer, "maximum number of replicas"},
    scale_to_zero_timeout:
      {"scaleToZeroTimeout", :integer, "minutes without a request after which it is scaled to zero"},
    measure: {"measure", :map, "numbers that cause a scale-up, by their names in the service's API"}

  HfHub.Schema.from_response("""
      iex> response = %{"minReplica" => 0, "maxReplica" => 2}
      iex> HfHub.InferenceEndpoints.ScalingConfig.from_response(response).max_replica
      2
  """)
end
