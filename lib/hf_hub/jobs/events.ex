defmodule HfHub.Jobs.Events do
  # The event streams of a job. The Hub may end a stream before the job ends, and may keep one open after it, so the stage
  # of the job decides whether the stream is opened again.
  @moduledoc false

  alias HfHub.{Error, Request}
  alias HfHub.Jobs.{Call, JobInfo, Position}
  alias HfHub.Request.{LogTime, Reader}

  # The Hub sends a comment each 30 seconds.
  @silence 120_000
  # A stream without an event for so long may be that of a job that has ended.
  @quiet 600_000

  # Errors of a connection, after which it is opened again.
  @broken [:transport, :timeout, :server, :rate_limited]

  @doc """
  Returns a lazy stream of the data of a job's events.

  ## Options

    * `:route` - `"/logs"` or `"/metrics"`
    * `:position` - where the first response begins
    * `:quiet` - time without an event that ends a response, in milliseconds
    * `:tolerated` - statuses of a job that has no events yet, or none any more
  """
  @spec stream(String.t() | JobInfo.t(), keyword(), keyword()) :: Enumerable.t()
  def stream(job, opts, source),
    do: Stream.resource(fn -> open(start(job, opts, source)) end, &next/1, &close/1)

  defp start(job, opts, source) do
    place = Error.unwrap!(Call.place(job, opts))
    limit = Request.deadline(opts[:timeout])

    %{
      place: place,
      opts: opts,
      source: source,
      position: source[:position],
      deadline: limit,
      read: nil,
      failures: 0,
      waits: 0
    }
  end

  defp open(state) do
    position = Position.reopened(state.position)
    request = :jobs |> Call.one(:get, state.source[:route], state.place, connection(state))
    quiet = state.source[:quiet] || if state.opts[:follow], do: @quiet

    events =
      request |> Request.query(Position.query(position)) |> Request.events(reconnect: false, quiet: quiet)

    %{state | read: Reader.open(events), position: position}
  end

  defp connection(state) do
    silence = if state.opts[:follow], do: @silence

    state.opts
    |> Request.until(state.deadline)
    |> Keyword.update(:download_timeout, silence, &(&1 || silence))
  end

  defp next(:ended), do: {:halt, :ended}
  defp next({:failed, error}), do: raise(error)

  # An error is raised in the next call, whose state has no connection to close.
  defp next(state) do
    case Reader.next(state.read) do
      {:ok, event, rest} -> event(event, %{state | read: rest})
      :ended -> ended(%{state | read: nil})
      {:error, error} -> failed(error, %{state | read: nil})
    end
  rescue
    # The deadline may pass while the stage is requested.
    error in Error -> if late?(state), do: {:halt, :ended}, else: {[], {:failed, named(error, state)}}
  end

  defp named(error, state) do
    {:error, error} = Call.about({:error, error}, :jobs, state.place)
    error
  end

  # Events of a job are objects.
  defp event(%{data: data} = event, state) when is_map(data) do
    {new?, position} = Position.at(state.position, data)
    state = %{state | position: position}

    cond do
      not new? -> {[], state}
      not state.opts[:follow] and LogTime.newer?(data, event[:opened_at]) -> {:halt, state}
      true -> {[data], %{state | failures: 0, waits: 0}}
    end
  end

  defp event(_other, state), do: {[], state}

  defp ended(state) do
    cond do
      not state.opts[:follow] or over?(state) or finished?(state) -> {:halt, :ended}
      # The stage of a job changes about a second after its last line.
      finished?(pause(state)) -> {:halt, :ended}
      true -> again(state)
    end
  end

  defp failed(error, %{opts: opts} = state) do
    cond do
      over?(state) -> raise error
      error.status in (state.source[:tolerated] || []) -> ended(state)
      # While a job runs, it may be silent.
      error.kind == :timeout and opts[:follow] -> ended(state)
      # A Hub that runs no jobs will not do so later.
      error.status == 501 -> raise error
      error.kind in @broken and state.failures < opts[:retries] -> broken(state)
      true -> raise error
    end
  end

  defp broken(state) do
    state = pause(%{state | failures: state.failures + 1})
    if state.opts[:follow] and finished?(state), do: {:halt, :ended}, else: again(state)
  end

  defp again(state), do: {[], open(%{state | waits: state.waits + 1})}

  defp finished?(state) do
    opts = Request.until(state.opts, state.deadline)

    :jobs
    |> Call.one(:get, state.place, opts)
    |> Request.run(Call.job(opts))
    |> Error.unwrap!()
    |> Call.ended?()
  end

  defp late?(state), do: state.opts[:follow] and over?(state)

  defp over?(state), do: Request.time_left(state.deadline) == 0

  # Twice the delay, up to ten times, and never longer than until the deadline.
  defp pause(state) do
    delay = state.opts[:retry_delay]
    pause = min(delay * Integer.pow(2, min(state.waits + 1, 4)), delay * 10)
    Process.sleep(min(pause, Request.time_left(state.deadline)))
    state
  end

  defp close(%{read: read}), do: Reader.close(read)
  defp close(_closed), do: :ok
end
