defmodule HfHub.Inference.Events do
  # The parts of a result that a server sends while it works, as server-sent events.
  @moduledoc false

  alias HfHub.{Decode, Error, Request}
  alias HfHub.Inference.Call

  # What servers of text-generation-inference call their errors.
  @kinds %{"validation" => :bad_request, "overloaded" => :rate_limited}

  @doc """
  Returns a lazy stream. `prepare` returns the route and the request when the stream starts. Halting the stream closes
  the connection.
  """
  @spec stream((() -> {HfHub.Inference.Route.t(), Request.t()}), (term() -> term())) :: Enumerable.t()
  def stream(prepare, decode) do
    Stream.resource(fn -> open(prepare) end, &next(&1, decode), &close/1)
  end

  defp open(prepare) do
    {route, request} = prepare.()

    # The first event shows whether the server accepts the request, for which the model may have to be loaded.
    Call.patiently(route, fn -> first(request) end)
  end

  defp first(request) do
    events = Request.events(request, reconnect: false)
    read = &Enumerable.reduce(events, &1, fn event, _none -> {:suspend, event} end)
    {:ok, take(read)}
  rescue
    error in Error -> {:error, error}
  end

  defp take(read) do
    case read.({:cont, nil}) do
      {:suspended, event, read} -> {:event, event, read}
      {_done, _none} -> :ended
    end
  end

  defp next(:ended, _decode), do: {:halt, :ended}
  # An error is raised in the next call, whose state has no connection to close.
  defp next({:failed, error}, _decode), do: raise(error)

  defp next({:reading, read}, decode) do
    next(take(read), decode)
  rescue
    error in Error -> {[], {:failed, error}}
  end

  defp next({:event, %{data: "[DONE]"}, read}, _decode), do: {:halt, {:reading, read}}

  defp next({:event, %{data: %{"error" => error} = data}, _read}, _decode) when error != nil,
    do: raise(failure(error, data))

  defp next({:event, %{data: %{} = data}, read}, decode), do: {[decoded!(data, decode)], {:reading, read}}
  defp next({:event, _other, read}, _decode), do: {[], {:reading, read}}

  defp decoded!(data, decode) do
    decode.(data)
  rescue
    error in Decode.Error -> raise Error.new(:invalid_response, "unexpected event: #{error.message}")
  end

  defp failure(error, data) do
    text = if is_binary(error), do: error, else: Decode.get(error, "message")
    kind = Map.get(@kinds, data["error_type"], :server)

    Error.new(kind, "the model failed while it produced the result",
      reason: if(is_binary(text), do: text),
      details: data
    )
  end

  defp close({:event, _event, read}), do: read.({:halt, nil})
  defp close({:reading, read}), do: read.({:halt, nil})
  defp close(_ended), do: :ok
end
