defmodule HfHub.InferenceEndpoints.ComputeConfig do
  @moduledoc """
  The hardware of an endpoint.
  """

  alias HfHub.InferenceEndpoints.ScalingConfig

  use HfHub.Schema,
    accelerator: {"accelerator", :string, "hardware accelerator, such as `\"gpu\"`"},
    instance_size: {"instanceSize", :string, "size of the instance, such as `\"x1\"`"},
    instance_type: {"instanceType", :string, "type of the instance, such as `\"nvidia-l4\"`"},
    scaling: {"scaling", ScalingConfig, "numbers of replicas"}

  HfHub.Schema.from_response("""
      iex> response = %{"instanceSize" => "x4"}
      iex> HfHub.InferenceEndpoints.ComputeConfig.from_response(response).instance_size
      "x4"
  """)
end
