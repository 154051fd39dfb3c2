defmodule HfHub.InferenceEndpoints.ProviderConfig do
  @moduledoc """
  The cloud provider of an endpoint.
  """

  use HfHub.Schema,
    vendor: {"vendor", :string, "provider, such as `\"aws\"`"},
    region: {"region", :string, "region, such as `\"us-east-1\"`"}

  HfHub.Schema.from_response("""
      iex> HfHub.InferenceEndpoints.ProviderConfig.from_response(%{"vendor" => "aws"}).vendor
      "aws"
  """)
end
