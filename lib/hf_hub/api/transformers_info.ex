defmodule HfHub.Api.TransformersInfo do
  @moduledoc """
  The classes with which the `transformers` library loads a model. Python: `TransformersInfo`.
  """

  use HfHub.Schema,
    auto_model: {"auto_model", :string, "class that loads the model, such as `\"AutoModelForCausalLM\"`"},
    custom_class: {"custom_class", :string, "class defined in the repository itself"},
    pipeline_tag: {"pipeline_tag", :string, "task of the pipeline"},
    processor: {"processor", :string, "class that prepares the input, such as `\"AutoTokenizer\"`"}
end
