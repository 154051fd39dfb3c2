defmodule HfHub.Buckets.Events do
  # The changes of a bucket as a stream. The Hub ends each response after a while, so another one is opened where it ended.
  @moduledoc false

  alias HfHub.Buckets.{Bucket, Call, Change, Event}
  alias HfHub.{Decode, Error, RepoRef, Request}
  alias HfHub.Request.Reader

  # The Hub sends a comment each 30 seconds.
  @silence 90_000
  # Responses that end before they are ready.
  @unready 3
  # Errors of a connection, after which it is opened again.
  @broken [:transport, :timeout, :server, :rate_limited]

  @doc "Returns a lazy stream of the events of a bucket."
  @spec stream(RepoRef.t(), keyword()) :: Enumerable.t()
  def stream(ref, opts), do: Stream.resource(fn -> open(start(ref, opts)) end, &next/1, &close/1)

  defp start(ref, opts) do
    %{
      ref: ref,
      opts: Keyword.update(opts, :download_timeout, @silence, &(&1 || @silence)),
      deadline: Request.deadline(opts[:timeout]),
      position: position(opts),
      read: nil,
      ready?: false,
      failures: 0
    }
  end

  defp position(opts) do
    cond do
      opts[:cursor] -> [cursor: opts[:cursor]]
      opts[:since] -> [since: DateTime.to_iso8601(opts[:since])]
      true -> []
    end
  end

  defp open(state) do
    events =
      Call.request(:get, "/events", state.ref, Request.until(state.opts, state.deadline))
      |> Request.query(state.position)
      |> Request.events(reconnect: false)

    %{state | read: Reader.open(events), ready?: false}
  end

  defp next(:ended), do: {:halt, :ended}
  # An error is raised in the next call, whose state has no connection to close.
  defp next({:failed, error}), do: raise(error)

  defp next(state) do
    case Reader.next(state.read) do
      {:ok, %{event: name, data: data}, rest} when is_map(data) -> event(name, data, %{state | read: rest})
      {:ok, _other, rest} -> {[], %{state | read: rest}}
      :ended -> ended(%{state | read: nil})
      {:error, error} -> failed(error, %{state | read: nil})
    end
  end

  defp event("changes", %{"cursor" => cursor, "changes" => changes}, state)
       when is_binary(cursor) and is_list(changes) do
    changes = for change <- changes, known?(change), do: Decode.struct(Change, change)

    {[%Event{type: :changes, changes: changes, cursor: cursor}],
     %{state | position: [cursor: cursor], failures: 0}}
  end

  defp event("ready", data, state) do
    state = %{at(state, data) | ready?: true, failures: 0}
    event = %Event{type: :ready, cursor: state.position[:cursor]}
    if state.opts[:follow], do: {[event], state}, else: {[event], finish(state)}
  end

  # The files have to be listed now, and changes since then are those after the bucket's last one.
  defp event("reset", data, state) do
    finish(state)
    event = %Event{type: :reset, reason: Decode.value(data["reason"], :as_is)}
    state = %{state | position: updated_at(state), ready?: true, failures: 0}
    if state.opts[:follow], do: {[event], open(state)}, else: {[event], :ended}
  rescue
    error in Error -> {[], {:failed, error}}
  end

  defp event("reconnect", data, state) do
    finish(state)
    ended(%{at(state, data) | ready?: true, read: nil})
  end

  # The Hub may add events.
  defp event(_name, _data, state), do: {[], state}

  defp known?(%{"path" => path, "op" => op}), do: is_binary(path) and op in ~w(add update delete)
  defp known?(_other), do: false

  defp at(state, %{"cursor" => cursor}) when is_binary(cursor), do: %{state | position: [cursor: cursor]}
  defp at(state, _none), do: state

  defp updated_at(state) do
    bucket =
      Call.request(:get, "", state.ref, Request.until(state.opts, state.deadline))
      |> Request.run(Bucket)
      |> Error.unwrap!()

    case bucket.updated_at do
      %DateTime{} = time -> [since: DateTime.to_iso8601(time)]
      _unknown -> []
    end
  end

  defp ended(state) do
    cond do
      over?(state) or (state.ready? and not state.opts[:follow]) ->
        {:halt, :ended}

      not state.ready? and state.failures >= @unready ->
        message = "the Hub ended #{@unready + 1} streams of events of #{inspect(state.ref.repo_id)} too early"
        raise Error.new(:invalid_response, message, repo_id: state.ref.repo_id)

      true ->
        again(if state.ready?, do: state, else: %{state | failures: state.failures + 1})
    end
  end

  # A connection that was silent for too long is broken, since the Hub sends comments.
  defp failed(error, state) do
    cond do
      over?(state) ->
        {:halt, :ended}

      error.status == 400 and state.position != [] ->
        again(%{state | position: earlier(state)})

      error.kind in @broken and state.failures < state.opts[:retries] ->
        again(%{state | failures: state.failures + 1})

      true ->
        {[], {:failed, error}}
    end
  rescue
    error in Error -> {[], {:failed, error}}
  end

  # The Hub does not know the position: changes since the last one of the bucket, or new ones, are left.
  defp earlier(%{position: [cursor: _cursor]} = state), do: updated_at(state)
  defp earlier(_state), do: []

  # Twice the delay, up to eight times, and never longer than until the deadline.
  defp again(state) do
    pause = state.opts[:retry_delay] * Integer.pow(2, min(state.failures, 3))
    Process.sleep(min(pause, Request.time_left(state.deadline)))
    {[], open(state)}
  end

  defp over?(state), do: Request.time_left(state.deadline) == 0

  defp finish(state) do
    close(state)
    :ended
  end

  defp close(%{read: read}), do: Reader.close(read)
  defp close(_closed), do: :ok
end
