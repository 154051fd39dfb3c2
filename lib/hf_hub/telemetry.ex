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
  an `:exception` event has `:kind`, `:reason` and `:stacktrace`. No metadata holds a token.

      :telemetry.attach("downloads", [:hf_hub, :download, :stop], fn _event, measurements, metadata, _config ->
        seconds = System.convert_time_unit(measurements.duration, :native, :millisecond) / 1000
        IO.puts("\#{metadata.repo_id}: \#{metadata.result} after \#{seconds} s")
      end, nil)
  """

  @doc false
  @spec span(:request | :download | :upload, map(), (() -> result)) :: result when result: term()
  def span(operation, metadata, work) do
    # Asks only whether it is loaded: looking for it would search the whole code path each time.
    if :erlang.function_exported(:telemetry, :execute, 3),
      do: observed(operation, metadata, work),
      else: work.()
  end

  defp observed(operation, metadata, work) do
    start = System.monotonic_time()
    execute(operation, :start, %{system_time: System.system_time(), monotonic_time: start}, metadata)

    try do
      work.()
    catch
      kind, reason ->
        failure = %{kind: kind, reason: reason, stacktrace: __STACKTRACE__}
        execute(operation, :exception, since(start), Map.merge(metadata, failure))
        :erlang.raise(kind, reason, __STACKTRACE__)
    else
      result ->
        execute(operation, :stop, since(start), Map.merge(metadata, outcome(result)))
        result
    end
  end

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
