defmodule HfHub.Inference.Batch do
  # Many inputs, several at once.
  @moduledoc false

  alias HfHub.{Error, Options}

  @table [
    max_concurrency: [type: :pos_integer, default: 8, doc: "Maximum number of inputs at once."],
    timeout: [
      type: {:or, [:pos_integer, {:in, [:infinity]}]},
      default: :infinity,
      doc: "Maximum time for one input, in milliseconds."
    ],
    ordered: [type: :boolean, default: true, doc: "Whether results have the order of the inputs."]
  ]

  @doc "Returns the options."
  @spec table() :: Options.table()
  def table, do: @table

  @doc "Returns a lazy stream of results."
  @spec map(Enumerable.t(), (term() -> {:ok, term()} | {:error, Error.t()}), keyword()) :: Enumerable.t()
  def map(inputs, fun, opts) do
    opts = Options.validate!(opts, @table)

    # Tasks that are linked to the caller would end it when they are killed.
    fn -> {:first, elem({:ok, _pid} = Task.Supervisor.start_link(), 1)} end
    |> Stream.resource(&once/1, fn {_state, supervisor} -> Supervisor.stop(supervisor) end)
    |> Stream.flat_map(
      &Task.Supervisor.async_stream_nolink(
        &1,
        inputs,
        fn input -> guarded(fun, input) end,
        [on_timeout: :kill_task] ++ opts
      )
    )
    |> Stream.map(&result(&1, opts))
  end

  defp once({:first, supervisor}), do: {[supervisor], {:last, supervisor}}
  defp once({:last, supervisor}), do: {:halt, {:last, supervisor}}

  defp guarded(fun, input) do
    case fun.(input) do
      {sort, _value} = result when sort in [:ok, :error] ->
        result

      other ->
        returned = inspect(other, limit: 10, printable_limit: 100)

        {:error,
         Error.new(
           :internal,
           "expected the function to return {:ok, value} or {:error, error}, got: #{returned}"
         )}
    end
  rescue
    error in Error -> {:error, error}
    error -> {:error, Error.new(:internal, "the function raised: #{Exception.message(error)}")}
  catch
    kind, reason ->
      {:error, Error.new(:cancelled, "the function ended: #{inspect({kind, reason}, limit: 10)}")}
  end

  defp result({:ok, result}, _opts), do: result

  defp result({:exit, :timeout}, opts),
    do: {:error, Error.new(:timeout, "the input took longer than #{opts[:timeout]} ms; increase :timeout")}

  defp result({:exit, reason}, _opts),
    do: {:error, Error.new(:cancelled, "the process ended: #{inspect(reason, limit: 10)}")}
end
