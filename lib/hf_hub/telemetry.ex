defmodule HfHub.Telemetry do
  @moduledoc """
  Telemetry events, which are emitted if the `:telemetry` application is loaded.

  | event | when | measurements |
  |---|---|---|
  | `[:hf_hub, :request, :start]` | a request to the Hub's API starts | `:system_time`, `:monotonic_time` |
  | `[:hf_hub, :request, :stop]` | it has ended, successfully or not | `:duration`, `:monotonic_time` |
  | `[:hf_hub, :download, :start]` | a download of a file or a snapshot starts | `:system_time`, `:monotonic_time` |
  | `[:hf_hub, :download, :stop]` | it has ended, successfully or not | `:duration`, `:monotonic_time` |
  | `[:hf_hub, :upload, :start]` | an upload or a commit starts | `:system_time`, `:monotonic_time` |
  | `[:hf_hub, :upload, :stop]` | it has ended, successfully or not | `:duration`, `:monotonic_time` |
  | `[:hf_hub, operation, :exception]` | the operation raised, threw or exited | `:duration`, `:monotonic_time` |

  Times are in native units. The metadata:

  | event | metadata |
  |---|---|
  | requests | `:method`, `:path`, `:endpoint` |
  | downloads | `:repo_id`, `:repo_type`, `:revision`, `:filename` (`nil` for a snapshot), `:endpoint` |
  | uploads | `:repo_id`, `:repo_type`, `:revision`, `:operation` (`:create`, `:folder`, `:preupload` or `:bucket`), `:endpoint` |
  | any `:stop` | also `:result` (`:ok` or `:error`) and `:error` (the `HfHub.Error` or `nil`) |
  | `:stop` of successful downloads and uploads | also `:fallback`: why Xet failed and HTTP took over, or the reverse; else `nil` |
  | any `:exception` | also `:kind`, `:reason` and `:stacktrace` (without arguments) |

  Metadata never contains a token, and `user:password@` in an endpoint is masked.

      :telemetry.attach("downloads", [:hf_hub, :download, :stop], fn _event, measurements, metadata, _config ->
        seconds = System.convert_time_unit(measurements.duration, :native, :millisecond) / 1000
        IO.puts("\#{metadata.repo_id}: \#{metadata.result} after \#{seconds} s")
      end, nil)
  """

  alias HfHub.Native.Nif

  @doc false
  # `token` is the token of the call, as `HfHub.Native.Hub.config/1` returns it.
  @spec span(:request | :download | :upload, map(), reference() | nil, (() -> result)) :: result
        when result: term()
  def span(operation, metadata, token \\ nil, work) do
    # Only checks whether it is loaded: loading it would search the whole code path on each call.
    if :erlang.function_exported(:telemetry, :execute, 3),
      do: observed(operation, shown(metadata, token), work),
      else: work.()
  end

  defp shown(metadata, token) do
    Map.new(metadata, fn
      {name, text} when is_binary(text) -> {name, Nif.shown(text, token)}
      entry -> entry
    end)
  end

  defp observed(operation, metadata, work) do
    start = System.monotonic_time()
    execute(operation, :start, %{system_time: System.system_time(), monotonic_time: start}, metadata)

    try do
      work.()
    catch
      kind, reason ->
        failure = %{kind: kind, reason: reason, stacktrace: Enum.map(__STACKTRACE__, &without_arguments/1)}
        execute(operation, :exception, since(start), Map.merge(metadata, failure))
        :erlang.raise(kind, reason, __STACKTRACE__)
    else
      result ->
        execute(operation, :stop, since(start), Map.merge(metadata, outcome(result)))
        result
    end
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

  defp outcome({:error, error}), do: %{result: :error, error: error}
  defp outcome({:ok, %{fallback: why}}), do: %{result: :ok, error: nil, fallback: why}
  defp outcome(_value), do: %{result: :ok, error: nil}

  defp execute(operation, moment, measurements, metadata) do
    apply(:telemetry, :execute, [[:hf_hub, operation, moment], measurements, metadata])
  end
end
