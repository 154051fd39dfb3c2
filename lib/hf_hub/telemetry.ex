defmodule HfHub.Telemetry do
  @moduledoc """
  Telemetry events, which are emitted if the `:telemetry` application is loaded.

  Each operation emits a span, with the measurements and metadata of `:telemetry.span/3`, as Finch and Ecto do:

  | event | when | measurements |
  |---|---|---|
  | `[:hf_hub, :request, :start]` | a request to the Hub's API starts | `:system_time`, `:monotonic_time` |
  | `[:hf_hub, :request, :stop]` | it has ended, successfully or not | `:duration`, `:monotonic_time` |
  | `[:hf_hub, :download, :start]` | a download of a file, a snapshot, files of a bucket, a stream or the headers of Safetensors files starts | `:system_time`, `:monotonic_time` |
  | `[:hf_hub, :download, :stop]` | it has ended, successfully or not | `:duration`, `:monotonic_time`; of a file also `:bytes`: its size if it was downloaded, 0 if it was cached; of a stream the bytes that were read |
  | `[:hf_hub, :upload, :start]` | an upload or a commit starts | `:system_time`, `:monotonic_time` |
  | `[:hf_hub, :upload, :stop]` | it has ended, successfully or not | `:duration`, `:monotonic_time` |
  | `[:hf_hub, :rows, :start]` | a stream of the rows of a dataset starts | `:system_time`, `:monotonic_time` |
  | `[:hf_hub, :rows, :stop]` | it has ended, successfully or not | `:duration`, `:monotonic_time`, unless it failed also `:rows`: the rows that were read |
  | `[:hf_hub, operation, :exception]` | the operation raised, threw or exited | `:duration`, `:monotonic_time` |

  Times are in native units; `System.convert_time_unit/3` converts them. The metadata:

  | event | metadata |
  |---|---|
  | all | `:telemetry_span_context`, a reference that the events of one operation have in common |
  | requests | `:method`, `:path`, `:endpoint` |
  | downloads | `:repo_id`, `:repo_type`, `:revision`, `:filename` (`nil` for a snapshot, the headers of a repository, and files of a bucket, whose `:revision` is `nil`, too), `:endpoint` |
  | uploads | `:repo_id`, `:repo_type`, `:revision`, `:operation` (`:create`, `:folder`, `:preupload` or `:bucket`), `:endpoint` |
  | rows | `:repo_id`, `:repo_type`, `:revision` (the commit), `:endpoint`, `:path` (of a folder on this machine, for which the others are `nil`), `:split`, `:files` (their number) |
  | any `:stop` | also `:result` (`:ok` or `:error`) and `:error` (the `HfHub.Error` or `nil`) |
  | `:stop` of requests | also `:status`, that of the response, or `nil` if there was none or its events were streamed |
  | `:stop` of successful downloads and uploads | also `:fallback`: why Xet failed and HTTP took over, or the reverse; else `nil` |
  | `:stop` of successful downloads | also `:commit` (`nil` if the server has not named it), and of a file `:cached` (whether nothing was downloaded) |
  | `:stop` of successful streams | instead `:halted`: whether the caller stopped reading before the end |
  | any `:exception` | also `:kind`, `:reason` and `:stacktrace` (without arguments) |

  Metadata never contains a token, and `user:password@` in an endpoint is masked. Requests for the contents of files belong
  to the download. Repeated requests are one event; each page of a list is one. A process that is killed emits no end.

  The span of a stream (`HfHub.Download.download_stream/1`, `HfHub.Datasets.load/2`, and requests whose events are streamed)
  lasts from its first read to its end, or until it is halted; each run of the stream is a span.

      :telemetry.attach("downloads", [:hf_hub, :download, :stop], &MyApp.Metrics.download/4, nil)

      def download(_event, measurements, metadata, _config) do
        ms = System.convert_time_unit(measurements.duration, :native, :millisecond)
        Logger.info("\#{metadata.repo_id}: \#{metadata.result} after \#{ms} ms")
      end

  The guide [Telemetry](telemetry.livemd) logs and meters downloads.
  """

  alias HfHub.Native.Nif

  @typedoc false
  @opaque open_span :: nil | {operation(), map(), integer()}
  @typep operation :: :request | :download | :upload | :rows

  @doc false
  # `token` is the token of the call, as `HfHub.Native.Hub.config/1` returns it.
  @spec span(operation(), map(), reference() | nil, (() -> result)) :: result when result: term()
  def span(operation, metadata, token \\ nil, work) do
    case start(operation, metadata, token) do
      nil -> work.()
      span -> observed(span, work)
    end
  end

  @doc false
  # The metadata of a download, by its specification for native code.
  @spec download(map()) :: map()
  def download(%{hub: hub} = spec) do
    place = Map.get(spec, :place, spec)

    %{
      repo_id: place.repo.id,
      repo_type: place.repo.repo_type,
      revision: place.revision,
      filename: spec[:filename],
      endpoint: hub.endpoint
    }
  end

  @doc false
  # Begins a span that `stop/2` ends, for work that is not one function.
  @spec start(operation(), map(), reference() | nil) :: open_span()
  def start(operation, metadata, token) do
    # Only checks whether it is loaded: loading it would search the whole code path on each call.
    if :erlang.function_exported(:telemetry, :execute, 3) do
      start = System.monotonic_time()
      # Tracers find the start of a span by it.
      metadata = metadata |> shown(token) |> Map.put(:telemetry_span_context, make_ref())
      execute(operation, :start, %{system_time: System.system_time(), monotonic_time: start}, metadata)
      {operation, metadata, start}
    end
  end

  @doc false
  # The span of work that has no events.
  @spec none(term()) :: open_span()
  def none(_spec), do: nil

  @doc false
  @spec stop(open_span(), term()) :: :ok
  def stop(nil, _result), do: :ok

  def stop({operation, metadata, start}, result) do
    {measured, outcome} = outcome(operation, result)
    execute(operation, :stop, Map.merge(since(start), measured), Map.merge(metadata, outcome))
  end

  defp shown(metadata, token) do
    Map.new(metadata, fn
      {name, text} when is_binary(text) -> {name, Nif.shown(text, token)}
      entry -> entry
    end)
  end

  defp observed({operation, metadata, start} = span, work) do
    work.()
  catch
    kind, reason ->
      failure = %{kind: kind, reason: reason, stacktrace: Enum.map(__STACKTRACE__, &without_arguments/1)}
      execute(operation, :exception, since(start), Map.merge(metadata, failure))
      :erlang.raise(kind, reason, __STACKTRACE__)
  else
    result ->
      stop(span, result)
      result
  end

  # The stack trace of a failed call may contain its arguments.
  defp without_arguments({module, function, arguments, location}) when is_list(arguments),
    do: {module, function, length(arguments), location}

  defp without_arguments({function, arguments, location}) when is_list(arguments),
    do: {function, length(arguments), location}

  defp without_arguments(entry), do: entry

  defp since(start) do
    now = System.monotonic_time()
    %{duration: now - start, monotonic_time: now}
  end

  defp outcome(:request, {:error, error}), do: {%{}, failed(error, %{status: Map.get(error, :status)})}
  defp outcome(_operation, {:error, error}), do: {%{}, failed(error, %{})}
  defp outcome(:request, {:ok, %{halted: halted}}), do: {%{}, done(%{status: nil, halted: halted})}
  defp outcome(:request, {:ok, %{status: status}}), do: {%{}, done(%{status: status})}

  defp outcome(:download, {:ok, %{streamed: bytes, halted: halted}}),
    do: {%{bytes: bytes}, done(%{halted: halted})}

  defp outcome(:rows, {:ok, %{streamed: rows, halted: halted}}), do: {%{rows: rows}, done(%{halted: halted})}
  defp outcome(:download, {:ok, report}) when is_map(report), do: downloaded(report)
  # A path, of a file that was cached.
  defp outcome(:download, path) when is_binary(path), do: {%{bytes: 0}, done(%{fallback: nil, cached: true})}
  defp outcome(_operation, {:ok, %{fallback: why}}), do: {%{}, done(%{fallback: why})}
  defp outcome(_operation, _value), do: {%{}, done(%{})}

  # `:transfer` is how the file was received; a dry run receives none, and neither does a cached file.
  defp downloaded(%{transfer: transfer, size: size} = report) do
    bytes = if transfer == nil, do: 0, else: size || 0
    {%{bytes: bytes}, done(Map.take(report, [:fallback, :commit, :cached]))}
  end

  defp downloaded(report), do: {%{}, done(Map.take(report, [:fallback, :commit]))}

  defp done(more), do: Map.merge(%{result: :ok, error: nil}, more)
  defp failed(error, more), do: Map.merge(%{result: :error, error: error}, more)

  defp execute(operation, moment, measurements, metadata) do
    apply(:telemetry, :execute, [[:hf_hub, operation, moment], measurements, metadata])
  end
end
