defmodule HfHub.Inference.GenerationDetails do
  @moduledoc """
  How a text was generated. Python: `TextGenerationOutputDetails`, `TextGenerationStreamOutputStreamDetails`.
  """

  alias HfHub.Inference.{Generation, GenerationToken}

  use HfHub.Schema,
    finish_reason:
      {"finish_reason", :string,
       "reason for the end of the text: `\"length\"`, `\"eos_token\"` or `\"stop_sequence\"`"},
    generated_tokens: {"generated_tokens", :integer, "number of tokens in the text"},
    input_length:
      {"input_length", :integer, "number of tokens in the prompt; only in the last chunk of a stream"},
    seed: {"seed", :integer, "seed of the random numbers"},
    prefill: {"prefill", [GenerationToken], "tokens of the prompt", default: []},
    tokens: {"tokens", [GenerationToken], "tokens of the text", default: []},
    top_tokens: {"top_tokens", [[GenerationToken]], "likely tokens at each place"},
    best_of_sequences: {"best_of_sequences", [Generation], "other texts of `:best_of`"}
end
