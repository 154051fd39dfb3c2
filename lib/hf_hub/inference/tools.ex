defmodule HfHub.Inference.Tools do
  # A chat in which the model calls functions, until it replies.
  @moduledoc false

  alias HfHub.Inference.{Client, Chat, ChatCompletion, ToolCall}
  alias HfHub.{Error, Native, Options}

  @table [
    functions: [
      type: :map,
      required: true,
      doc:
        "Functions by name. Each gets the arguments as a map with string keys, and returns a text, or `{:error, text}`; " <>
          "the model reads both. Any other value is sent as JSON."
    ],
    max_rounds: [
      type: :pos_integer,
      default: 10,
      doc:
        "Maximum number of replies that call functions, after which the call is an error of kind `:precondition`."
    ]
  ]

  @type result :: {:ok, %{reply: ChatCompletion.t(), messages: [map()]}} | {:error, Error.t()}

  @doc "Returns the options of the loop, without those of chats."
  @spec table() :: Options.table()
  def table, do: @table

  @doc "Runs the loop."
  @spec run(Client.t(), [term()], keyword()) :: result()
  def run(client, messages, opts) do
    {own, chat} = Keyword.split(opts, Keyword.keys(@table))
    own = Options.validate!(own, @table)

    for {name, function} <- own[:functions],
        not is_function(function, 1),
        do:
          raise(
            ArgumentError,
            "expected the function #{inspect(name)} in :functions to have one argument, got: #{Options.shown(function)}"
          )

    round(client, messages, chat, own[:functions], own[:max_rounds])
  end

  defp round(client, messages, chat, functions, left) do
    with {:ok, reply} <- Chat.complete(client, messages, chat) do
      case message(reply) do
        %{tool_calls: [_ | _] = calls} = message when left > 0 ->
          answers = Enum.map(calls, &answer(&1, functions))
          round(client, messages ++ [message | answers], chat, functions, left - 1)

        %{tool_calls: [_ | _]} ->
          {:error,
           Error.new(
             :precondition,
             "the model still calls functions; increase :max_rounds, or change the messages"
           )}

        message ->
          {:ok, %{reply: reply, messages: messages ++ List.wrap(message)}}
      end
    end
  end

  defp message(%{choices: [%{message: message} | _others]}), do: message
  defp message(_reply), do: nil

  defp answer(%ToolCall{} = call, functions),
    do: %{role: "tool", tool_call_id: call.id, content: call |> result(functions) |> text()}

  # A model may make up names and arguments; it is told so.
  defp result(call, functions) do
    with {:ok, function} <- find(call.name, functions),
         {:ok, arguments} <- arguments(call.arguments),
         do: function.(arguments)
  end

  defp find(name, functions) do
    case Enum.find(functions, fn {key, _function} -> to_string(key) == name end) do
      {_key, function} -> {:ok, function}
      nil -> {:error, "there is no function #{inspect(name)}"}
    end
  end

  # Some servers send an object instead of its text.
  defp arguments(%{} = arguments), do: {:ok, arguments}
  defp arguments(none) when none in [nil, ""], do: {:ok, %{}}

  defp arguments(text) do
    case is_binary(text) && Native.run(:parse_json, text) do
      {:ok, %{} = arguments} -> {:ok, arguments}
      _malformed -> {:error, "the arguments are not a JSON object"}
    end
  end

  defp text({:ok, value}), do: text(value)
  defp text({:error, text}) when is_binary(text), do: "error: " <> text
  defp text({:error, other}), do: "error: " <> inspect(other)
  defp text(text) when is_binary(text), do: text
  defp text(value), do: Native.Nif.to_json(value)
end
