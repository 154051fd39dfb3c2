defmodule HfHub.Inference.Body do
  # Arguments and parameters of a call as they are sent: names are strings, and `nil` is left out.
  @moduledoc false

  alias HfHub.Inference.{ChatMessage, Content, ToolCall}

  @doc "Returns a value as JSON. `{:base64, content}` is a file in Base64."
  @spec json(term(), keyword()) :: term()
  def json(%ChatMessage{} = message, opts), do: message |> Map.from_struct() |> json(opts)

  def json(%ToolCall{} = call, opts) do
    function = %{name: call.name, arguments: call.arguments}
    json(%{id: call.id, type: call.type || "function", function: function}, opts)
  end

  def json(%_module{} = struct, opts), do: struct |> Map.from_struct() |> json(opts)

  def json(%{} = map, opts),
    do: for({name, value} <- map, value != nil, into: %{}, do: {to_string(name), json(value, opts)})

  def json({:base64, content}, opts), do: Content.base64!(content, opts)

  def json([_ | _] = list, opts) do
    if Keyword.keyword?(list), do: list |> Map.new() |> json(opts), else: Enum.map(list, &json(&1, opts))
  end

  def json(value, _opts), do: value
end
