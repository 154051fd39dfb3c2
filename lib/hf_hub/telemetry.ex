defmodule HfHub.Telemetry do
  @moduledoc """
  Events for hosts that have the `:telemetry` application; without it nothing happens.

  | event | when | measurements |
  |---|---|---|
  | `[:hf_hub, :request, :start]` | a request to the Hub's API begins | `:system_time`, `:monotonic_time` |
  | `[:hf_hub, :request, :stop]` | it has ended, well or not | `:duration`, `:monotonic_time` |
  | `[:hf_hub, :download, :start]` | a download (of a file or a snapshot) begins | `:system_time`, `:monotonic_time` |
  | `[:hf_hub, :download, :stop]` | it has ended, well or not | `:duration`, `:monotonic_time` |
  | `[:hf_hub, :upload, :start]` | an upload or a commit begins | `:system_time`, `:monotonic_time` |
  | `[:hf_hub, :upload, :stop]` | it has ended, well or not | `:duration`, `:monotonic_time` |
  | `[:hf_hub, operation, :exception]` | the calling code was left by an exception | `:duration`, `:monotonic_time` |

  Times are in native units. Metadata of requests: `:method`, `:path`, `:endpoint`. Of downloads:
  `:repo_id`, `:repo_type`, `:revision`, `:filename` (`nil` for a snapshot), `:endpoint`. Of uploads the
  same, with `:operation` (`:create`, `:folder` or `:preupload`) instead of the file. A `:stop` event also has `:result`, which is `:ok` or `:error`, and `:error`, the `HfHub.Error` or `nil`;
  an `:exception` event has `:kind`, `:reason` and `:stacktrace` (without arguments). No metadata holds a token, and
  `user:password@` of an endpoint is masked.

      :telemetry.attach("downloads", [:hf_hub, :download, :stop], fn _event, measurements, metadata, _config ->
        seconds = System.convert_time_unit(measurements.duration, :native, :millisecond) / 1000
        IO.puts("\#{metadata.repo_id}: \#{metadata.result} after \#{seconds} s")
      end, nil)
  """

  alias HfHub.Native.Nif

  @doc false
  # `token` is the one of the call, as `HfHub.Native.Hub.config/1` hands it out.
  @spec span(:request | :download | :upload, map(), reference() | nil, (() -> result)) :: result
        when result: term()
  def span(operation, metadata, token \\ nil, work) do
    # Asks only whether it is loaded: looking for it would search the whole code path each time.
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

  # A call that fails leaves its arguments in the stack trace.
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
  defp outcome(_value), do: %{result: :ok, error: nil}

  defp execute(operation, moment, measurements, metadata) do
    apply(:telemetry, :execute, [[:hf_hub, operation, moment], measurements, metadata])
  end
end
