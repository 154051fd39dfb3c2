defmodule HfHub.Inference.GenerationToken do
  @moduledoc """
  A token of a generated text or of its prompt. Python: `TextGenerationOutputToken`.
  """

  use HfHub.Schema,
    id: {"id", :integer, "id of the token"},
    text: {"text", :string, "text of the token"},
    logprob: {"logprob", :number, "logarithm of its probability"},
    special: {"special", :boolean, "whether the token stands for no text"}
end
