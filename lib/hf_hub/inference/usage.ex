defmodule HfHub.Inference.Usage do
  @moduledoc """
  Number of tokens that a call took. Python: `ChatCompletionOutputUsage`.
  """

  use HfHub.Schema,
    prompt_tokens: {"prompt_tokens", :integer, "tokens of the prompt"},
    completion_tokens: {"completion_tokens", :integer, "tokens of the reply"},
    total_tokens: {"total_tokens", :integer, "tokens of both"}
end
