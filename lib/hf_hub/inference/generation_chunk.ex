defmodule HfHub.Inference.GenerationChunk do
  @moduledoc """
  A part of a generated text, while it is generated. Python: `TextGenerationStreamOutput`.
  """

  alias HfHub.Inference.{GenerationDetails, GenerationToken}

  use HfHub.Schema,
    index: {"index", :integer, "number of the chunk"},
    token: {"token", GenerationToken, "token"},
    top_tokens: {"top_tokens", [GenerationToken], "other likely tokens in its place", default: []},
    generated_text: {"generated_text", :string, "whole text; only in the last chunk"},
    details: {"details", GenerationDetails, "details; only in the last chunk"}
end
