defmodule HfHub.Api.InferenceProvider do
  @moduledoc """
  A provider that serves a model. Python: `InferenceProviderMapping`.
  """

  use HfHub.Schema,
    provider: {"provider", :string, "name of the provider"},
    hf_model_id: {"hf_model_id", :string, "id of the model on the Hub"},
    provider_id: {"providerId", :string, "id of the model at the provider"},
    status: {"status", {:enum, [:live, :staging, :error]}, "state of the service"},
    task: {"task", :string, "task that the provider serves the model for"},
    adapter: {"adapter", :string, "kind of adapter, such as `\"lora\"`"},
    adapter_weights_path: {"adapterWeightsPath", :string, "path of the adapter's weights in the repository"},
    type:
      {"type", {:enum, [single_model: "single-model", tag_filter: "tag-filter"]},
       "whether the provider lists this model or all models with a tag"}
end
