defmodule HfHub.Inference.Generation do
  @moduledoc """
  Generated text with its details. Python: `TextGenerationOutput`.
  """

  alias HfHub.Inference.GenerationDetails

  use HfHub.Schema,
    generated_text: {"generated_text", :name, "generated text"},
    details: {"details", GenerationDetails, "details, if the server returned them"}
end
