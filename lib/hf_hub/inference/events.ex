defmodule HfHub.Inference.Events do
  # The parts of a result that a server sends while it works, as server-sent events.
  @moduledoc false

  alias HfHub.{Decode, Error, Request}
  alias HfHub.Inference.{Call, Client, Failure}
  alias HfHub.Request.Reader

  @doc """
  Returns a lazy stream of the parts of a task's result, which are decoded by `decode`. The request is sent when the stream
  starts; halting the stream closes the connection.
  """
  @spec stream(Client.t(), String.t(), Call.given(), keyword(), (term() -> term())) :: Enumerable.t()
  def stream(client, task, given, opts, decode) do
    Stream.resource(fn -> open(Call.prepare!(client, task, given, opts)) end, &next(&1, decode), &close/1)
  end

  # The first event shows whether the server accepts the request, for which the model may have to be loaded.
  defp open({route, request}) do
    Call.patiently(route, fn ->
      case request |> Request.events(reconnect: false) |> Reader.open() |> Reader.next() do
        {:ok, event, rest} -> {:ok, {:event, event, rest}}
        :ended -> {:ok, :ended}
        error -> error
      end
    end)
  end

  defp next(:ended, _decode), do: {:halt, :ended}
  # An error is raised in the next call, whose state has no connection to close.
  defp next({:failed, error}, _decode), do: raise(error)
  defp next({:event, event, rest}, decode), do: part(event, rest, decode)

  defp next({:reading, rest}, decode) do
    case Reader.next(rest) do
      {:ok, event, rest} -> part(event, rest, decode)
      :ended -> {:halt, :ended}
      {:error, error} -> {[], {:failed, error}}
    end
  end

  defp part(%{data: "[DONE]"}, rest, _decode), do: {:halt, {:reading, rest}}

  defp part(%{data: %{"error" => error} = data}, rest, _decode) when error != nil,
    do: failed(Failure.event(error, data), rest)

  defp part(%{data: %{} = data}, rest, decode) do
    {[decode.(data)], {:reading, rest}}
  rescue
    error in Decode.Error -> failed(Error.new(:invalid_response, "unexpected event: #{error.message}"), rest)
  end

  defp part(_other, rest, _decode), do: {[], {:reading, rest}}

  defp failed(error, rest) do
    Reader.close(rest)
    {[], {:failed, error}}
  end

  defp close({:event, _event, rest}), do: Reader.close(rest)
  defp close({:reading, rest}), do: Reader.close(rest)
  defp close(_ended), do: :ok
end
