defmodule HfHub.InferenceEndpoints.CatalogRecipe do
  @moduledoc """
  A tested combination of hardware and engine for a model. Python: `InferenceCatalogRecipe`.
  """

  use HfHub.Schema,
    id: {"publicId", :name, "id, for `HfHub.InferenceEndpoints.create_from_catalog/1`"},
    accelerator: {"accelerator", :string, "accelerator: `\"cpu\"`, `\"gpu\"`, `\"neuron\"` or a newer one"},
    engine:
      {"engineType", :string, "engine: `\"vllm\"`, `\"llamacpp\"`, `\"tei\"`, `\"sglang\"` or a newer one"},
    gguf_file: {"ggufFile", :string, "GGUF file, for llama.cpp"},
    revision: {"revision", :string, "revision of the model, if it is fixed"}
end
