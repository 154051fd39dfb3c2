defmodule HfHub.Inference.Body do
  # Arguments and parameters of a call as they are sent: names are strings, and `nil` is left out.
  @moduledoc false

  alias HfHub.Options
  alias HfHub.Inference.{ChatMessage, Content, ToolCall}

  @doc "Returns a value as JSON. `{:base64, content}` is a file in Base64."
  @spec json(term(), keyword()) :: term()
  def json(%ChatMessage{} = message, opts), do: message |> Map.from_struct() |> json(opts)

  def json(%ToolCall{} = call, opts) do
    function = %{name: call.name, arguments: call.arguments}
    json(%{id: call.id, type: call.type || "function", function: function}, opts)
  end

  # Dates, times and decimals are texts.
  def json(%_module{} = struct, opts) do
    if String.Chars.impl_for(struct), do: to_string(struct), else: struct |> Map.from_struct() |> json(opts)
  end

  def json(%{} = map, opts),
    do: for({name, value} <- map, value != nil, into: %{}, do: {name(name), json(value, opts)})

  def json({:base64, content}, opts), do: Content.base64!(content, opts)

  def json([_ | _] = list, opts) do
    if Keyword.keyword?(list), do: list |> Map.new() |> json(opts), else: Enum.map(list, &json(&1, opts))
  end

  def json([], _opts), do: []
  def json(value, _opts) when is_number(value) or is_atom(value), do: value
  def json(value, _opts), do: if(text?(value), do: value, else: unexpected!(value))

  defp name(name) when is_atom(name) or is_integer(name), do: to_string(name)
  defp name(name), do: if(text?(name), do: name, else: unexpected!(name))

  defp text?(value), do: is_binary(value) and String.valid?(value)

  defp unexpected!(value) when is_binary(value),
    do: raise(ArgumentError, "expected texts in UTF-8, got: #{Options.shown(value)}")

  defp unexpected!(value),
    do: raise(ArgumentError, "expected values that JSON has, got: #{Options.shown(value)}")
end
