defmodule HfHub.Inference.ToolCall do
  @moduledoc """
  A call of a tool that a model asks for. Python: `ChatCompletionOutputToolCall`.
  """

  use HfHub.Schema,
    id: {"id", :string, "id of the call, which its result refers to"},
    index: {"index", :integer, "number of the call; only in streams"},
    type: {"type", :string, "kind of tool: `\"function\"`"},
    name: {["function", "name"], :string, "name of the function"},
    arguments: {["function", "arguments"], :any, "arguments: a JSON object as text"}
end
