defmodule HfHub.Native do
  # Runs native jobs: the only module that receives their messages. A job sends
  # `{:hf_hub, ref, event}`: any number of progress and waiting events or chunks, then exactly
  # one `{:ok, value}`, `{:error, map}`, or `{:refused, why}` where the spec cannot be read.
  @moduledoc false

  require Logger

  alias HfHub.{Error, Telemetry}
  alias HfHub.Native.Nif
  alias HfHub.Progress.Reporter

  @doc """
  Starts the named job with its spec and waits until it ends. With `:progress` in the spec, the job
  reports when it has to wait; if it is true, also its progress.

  The reference that tags the job's messages is created here, in the function that receives, so that the VM skips
  older messages in the mailbox.
  """
  @spec run(atom(), term(), Reporter.t()) :: {:ok, term()} | {:error, Error.t()}
  def run(name, spec, reporter \\ nil) do
    with {:ok, {value, reporter}} <- run_part(name, spec, reporter) do
      Reporter.stop(reporter, :done)
      {:ok, value}
    end
  end

  @doc """
  Like `run/3`, for a job that is one of several with a common reporter: also returns the reporter, for the next one.
  After an error, it has ended.
  """
  @spec run_part(atom(), term(), Reporter.t()) :: {:ok, {term(), Reporter.t()}} | {:error, Error.t()}
  def run_part(name, spec, reporter) do
    ref = make_ref()
    job = Nif.start(ref, name, spec)

    receive do
      {:hf_hub, ^ref, event} -> handle(event, ref, job, reporter)
    end
  end

  @doc """
  Starts the named job, which acquires a lock for the calling process, and returns the lock's handle and path.
  `Nif.cancel/1` releases it, and so does the exit of the process.
  """
  @spec hold(atom(), term()) :: {:ok, reference(), Path.t()} | {:error, Error.t()}
  def hold(name, spec) do
    ref = make_ref()
    job = Nif.start(ref, name, spec)

    receive do
      {:hf_hub, ^ref, event} -> with {:ok, {path, nil}} <- handle(event, ref, job, nil), do: {:ok, job, path}
    end
  end

  @doc """
  Returns a lazy stream of the named job's chunks, requested on demand and one ahead. `spec` is called when the stream
  starts, and `observe` with its result: it returns the span of `HfHub.Telemetry` that lasts as long as the stream.
  Halting the stream stops the job.
  """
  @spec stream(atom(), (() -> spec), (spec -> Telemetry.open_span())) :: Enumerable.t() when spec: term()
  def stream(name, spec, observe) do
    Stream.resource(fn -> start_stream(name, spec.(), observe) end, &next_chunk/1, &stop_stream/1)
  end

  defp start_stream(name, spec, observe) do
    span = observe.(spec)
    ref = make_ref()
    job = Nif.start(ref, name, spec)
    Nif.ask(job, 2)
    %{ref: ref, job: job, span: span, streamed: 0, outcome: :running}
  end

  defp handle({:progress, fields}, ref, job, reporter) do
    Nif.acknowledge(job)
    reporter = Reporter.report(reporter, fields)

    receive do
      {:hf_hub, ^ref, event} -> handle(event, ref, job, reporter)
    end
  end

  defp handle({:waiting, waiting}, ref, job, reporter) do
    Logger.info(waiting(waiting))

    receive do
      {:hf_hub, ^ref, event} -> handle(event, ref, job, reporter)
    end
  end

  defp handle({:ok, value}, _ref, _job, reporter), do: {:ok, {value, reporter}}

  defp handle({:error, fields}, _ref, _job, reporter) do
    Reporter.stop(reporter, :failed)
    {:error, Error.from_native(fields)}
  end

  defp handle({:refused, why}, _ref, _job, reporter) do
    Reporter.stop(reporter, :failed)
    raise ArgumentError, why
  end

  defp waiting(%{activity: :rate_limited, wait: wait}),
    do: "waiting up to #{div((wait || 0) + 999, 1000)} s: the Hub's rate limit is exhausted"

  defp waiting(%{file: nil}), do: "waiting for another process to release its lock"
  defp waiting(%{file: file}), do: "waiting for another process that is downloading #{file}"

  defp next_chunk(%{outcome: :done} = stream), do: {:halt, stream}
  defp next_chunk(%{outcome: {:failed, error}}), do: raise(error)

  defp next_chunk(%{ref: ref, job: job} = stream) do
    receive do
      {:hf_hub, ^ref, {:chunk, chunk}} ->
        Nif.ask(job, 1)
        {[chunk], %{stream | streamed: stream.streamed + size(chunk)}}

      {:hf_hub, ^ref, {:ok, :done}} ->
        {:halt, %{stream | outcome: :done}}

      # Raised by the next call: its state marks the job as ended, so that it is not cancelled.
      {:hf_hub, ^ref, {:error, fields}} ->
        {[], %{stream | outcome: {:failed, Error.from_native(fields)}}}

      {:hf_hub, ^ref, {:refused, why}} ->
        {[], %{stream | outcome: {:failed, ArgumentError.exception(why)}}}
    end
  end

  # Bytes, or rows. Events and columns count nothing.
  defp size(chunk) when is_binary(chunk), do: byte_size(chunk)
  defp size({:rows, %{count: count}}), do: count
  defp size(_event), do: 0

  defp stop_stream(%{outcome: outcome, span: span} = stream) do
    if outcome == :running do
      Nif.cancel(stream.job)
      drain(stream.ref)
    end

    case outcome do
      {:failed, error} -> Telemetry.stop(span, {:error, error})
      _ended -> Telemetry.stop(span, {:ok, %{streamed: stream.streamed, halted: outcome == :running}})
    end
  end

  defp drain(ref) do
    receive do
      {:hf_hub, ^ref, {:chunk, _chunk}} -> drain(ref)
      {:hf_hub, ^ref, _last} -> :ok
    after
      1_000 -> :ok
    end
  end
end
