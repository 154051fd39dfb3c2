defmodule HfHub.Inference.ChatChoice do
  @moduledoc """
  One reply of a chat model, whole or, in a stream, the next part of it. Python: `ChatCompletionOutputComplete`,
  `ChatCompletionStreamOutputChoice`.
  """

  alias HfHub.Inference.ChatMessage

  @reasons [:stop, :length, :tool_calls, :content_filter]

  use HfHub.Schema,
    index: {"index", :integer, "number of the choice"},
    message: {{:or, ["message", "delta"]}, ChatMessage, "message, or the next part of it"},
    finish_reason:
      {"finish_reason", {:enum, @reasons}, "reason for the end of the message; other reasons are strings"},
    logprobs: {["logprobs", "content"], [:map], "probabilities of the tokens; maps with string keys"}
end
