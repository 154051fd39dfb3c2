defmodule HfHub.Inference.Events do
  # The parts of a result that a server sends while it works, as server-sent events.
  @moduledoc false

  alias HfHub.{Decode, Error, Request}
  alias HfHub.Inference.{Call, Client, Failure}
  alias HfHub.Request.Reader

  @doc """
  Returns a lazy stream of the parts of a task's result, which are decoded by `decode`. The request is sent when the stream
  starts; halting the stream closes the connection. `last?` returns whether the JSON of an event can be the last one: a
  stream that ends without such an event is an error, unless its server has reported the end.
  """
  @spec stream(Client.t(), String.t(), Call.given(), keyword(), (map() -> term()), (map() -> boolean())) ::
          Enumerable.t()
  def stream(client, task, given, opts, decode, last?) do
    Stream.resource(
      fn -> open(Call.prepare!(client, task, given, opts)) end,
      &next(&1, decode, last?),
      &close/1
    )
  end

  # The first event shows whether the server accepts the request, for which the model may have to be loaded.
  defp open({route, request}) do
    Call.patiently(route, fn ->
      case request |> Request.events(reconnect: false) |> Reader.open() |> Reader.next() do
        {:ok, event, rest} -> {:ok, {:event, event, rest}}
        :ended -> {:ok, {:failed, Error.new(:invalid_response, "the server responded with an empty stream")}}
        error -> error
      end
    end)
  end

  # An error is raised in the next call, whose state has no connection to close.
  defp next({:failed, error}, _decode, _last?), do: raise(error)
  defp next({:event, event, rest}, decode, last?), do: part(event, rest, decode, last?)

  defp next({:reading, rest, end?}, decode, last?) do
    case Reader.next(rest) do
      {:ok, event, rest} ->
        part(event, rest, decode, fn data -> end? or last?.(data) end)

      :ended when end? ->
        {:halt, :ended}

      :ended ->
        {[], {:failed, Error.new(:transport, "the connection was closed before the end of the result")}}

      {:error, error} ->
        {[], {:failed, error}}
    end
  end

  defp part(%{data: "[DONE]"}, rest, _decode, _last?), do: {:halt, {:reading, rest, true}}

  defp part(%{data: %{"error" => error} = data}, rest, _decode, _last?) when error != nil,
    do: failed(Failure.event(error, data), rest)

  defp part(%{data: %{} = data}, rest, decode, last?) do
    {[decode.(data)], {:reading, rest, last?.(data)}}
  rescue
    error in Decode.Error -> failed(Error.new(:invalid_response, "unexpected event: #{error.message}"), rest)
  end

  # For example a web page.
  defp part(_other, rest, _decode, _last?),
    do: failed(Error.new(:invalid_response, "unexpected event: expected a JSON object"), rest)

  defp failed(error, rest) do
    Reader.close(rest)
    {[], {:failed, error}}
  end

  defp close({:event, _event, rest}), do: Reader.close(rest)
  defp close({:reading, rest, _end?}), do: Reader.close(rest)
  defp close(_ended), do: :ok
end
