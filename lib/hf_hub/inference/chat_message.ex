defmodule HfHub.Inference.ChatMessage do
  @moduledoc """
  A message of a chat. It can be sent back as a part of the next call's messages. Python: `ChatCompletionOutputMessage`,
  `ChatCompletionStreamOutputDelta`.
  """

  alias HfHub.Inference.ToolCall

  use HfHub.Schema,
    role: {"role", :string, "author of the message: `\"assistant\"`, `\"user\"`, `\"system\"` or `\"tool\"`"},
    content: {"content", :any, "text of the message"},
    reasoning:
      {{:or, ["reasoning", "reasoning_content"]}, :string, "reasoning of the model before the reply"},
    tool_call_id: {"tool_call_id", :string, "id of the call whose result the message of a tool is"},
    tool_calls: {"tool_calls", [ToolCall], "calls of tools that the model asks for"}
end
