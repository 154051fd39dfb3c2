defmodule HfHub.Inference.Chat do
  # Chats: one reply, or a stream of its parts.
  @moduledoc false

  alias HfHub.{Decode, Error, Options}
  alias HfHub.Request.Reader

  alias HfHub.Inference.{
    Body,
    Client,
    Call,
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatMessage,
    Events,
    Tables,
    ToolCall
  }

  @task "conversational"

  @doc "Requests a reply."
  @spec complete(Client.t(), [term()], keyword()) :: {:ok, ChatCompletion.t()} | {:error, Error.t()}
  def complete(client, messages, opts) do
    {given, opts} = given(messages, false, opts)
    Call.run(client, @task, given, opts, &completion/1)
  end

  defp completion(%{"choices" => choices} = json) when is_list(choices),
    do: Decode.struct(ChatCompletion, json)

  defp completion(_other), do: raise(Decode.Error, message: "the reply has no choices")

  @doc "Returns a lazy stream of the parts of a reply, which raises `HfHub.Error`."
  @spec stream(Client.t(), [term()], keyword()) :: Enumerable.t()
  def stream(client, messages, opts) do
    {given, opts} = given(messages, true, opts)

    Events.stream(client, @task, given, opts, Decode.to(ChatChunk), &finish?/1)
  end

  defp finish?(%{"choices" => choices}) when is_list(choices),
    do: Enum.any?(choices, &(Decode.get(&1, "finish_reason") != nil))

  defp finish?(_other), do: false

  defp given(messages, stream?, opts) do
    unless match?([_ | _], messages) and Enum.all?(messages, &message?/1) do
      raise ArgumentError,
            "expected messages as a list of maps such as %{role: \"user\", content: \"Hello\"}, got: #{Options.shown(messages)}"
    end

    opts = Options.validate!(opts, Tables.chat() ++ Tables.call())
    {params, opts} = Keyword.split(opts, Keyword.keys(Tables.chat()))
    stop = params[:stop] && List.wrap(params[:stop])
    {{Body.json(messages, []), Keyword.put(params, :stop, stop) ++ [stream: stream?]}, opts}
  end

  defp message?(message), do: is_map(message) or (message != [] and Keyword.keyword?(message))

  @doc "Puts the parts of a stream together. An error has what arrived before as `\"partial\"` in its details."
  @spec assemble(Enumerable.t()) :: {:ok, ChatCompletion.t()} | {:error, Error.t()}
  def assemble(stream) do
    collect(Reader.open(stream), %ChatCompletion{raw: %{}})
  end

  defp collect(read, reply) do
    case Reader.next(read) do
      {:ok, chunk, rest} ->
        collect(rest, add(chunk, reply))

      :ended ->
        {:ok, finished(reply)}

      {:error, error} ->
        {:error, %{error | details: Map.put(error.details || %{}, "partial", finished(reply))}}
    end
  end

  defp add(chunk, reply) do
    choices = Enum.reduce(chunk.choices, reply.choices, &add_choice/2)

    %{
      reply
      | id: chunk.id || reply.id,
        model: chunk.model || reply.model,
        created: chunk.created || reply.created,
        usage: chunk.usage || reply.usage,
        system_fingerprint: chunk.system_fingerprint || reply.system_fingerprint,
        choices: choices
    }
  end

  defp add_choice(part, choices) do
    index = part.index || 0
    known = Enum.find(choices, %ChatChoice{index: index, message: %ChatMessage{}}, &(&1.index == index))
    delta = part.message || %ChatMessage{}

    message = %{
      known.message
      | role: delta.role || known.message.role,
        content: joined(known.message.content, delta.content),
        reasoning: joined(known.message.reasoning, delta.reasoning),
        tool_call_id: delta.tool_call_id || known.message.tool_call_id,
        tool_calls: Enum.reduce(delta.tool_calls || [], known.message.tool_calls, &add_call/2)
    }

    choice = %{
      known
      | message: message,
        finish_reason: part.finish_reason || known.finish_reason,
        logprobs: joined(known.logprobs, part.logprobs)
    }

    [choice | Enum.reject(choices, &(&1.index == index))]
  end

  defp add_call(part, calls) do
    calls = calls || []
    index = part.index || max(length(calls) - 1, 0)
    known = Enum.find(calls, %ToolCall{index: index}, &(&1.index == index))

    call = %{
      known
      | id: known.id || part.id,
        type: known.type || part.type,
        name: joined(known.name, part.name),
        arguments: joined(known.arguments, part.arguments)
    }

    [call | Enum.reject(calls, &(&1.index == index))]
  end

  defp joined(nil, more), do: more
  defp joined(text, nil), do: text
  defp joined(list, more) when is_list(list) and is_list(more), do: list ++ more
  defp joined(text, more) when is_binary(text) and is_binary(more), do: text <> more
  defp joined(known, _other), do: known

  defp finished(reply) do
    choices =
      for choice <- Enum.sort_by(reply.choices, & &1.index) do
        update_in(choice.message.tool_calls, &(&1 && Enum.sort_by(&1, fn call -> call.index end)))
      end

    %{reply | choices: choices}
  end
end
