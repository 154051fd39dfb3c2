defmodule HfHub.Datasets.Rows do
  # Reads rows in batches: the engine sends the columns, then the values of some rows by their columns.
  @moduledoc false

  alias HfHub.Datasets.Value
  alias HfHub.{Error, Native, Telemetry}

  @typedoc "A column: its name and its type."
  @type field :: %{name: String.t(), type: Value.type()}

  @typedoc "Some rows: their columns, their number, and the values of each column."
  @type batch :: {[field()], non_neg_integer(), [[term()]]}

  @typedoc "The inputs of the engine, and the metadata of the telemetry events."
  @type spec :: %{job: map(), about: map()}

  @doc "Returns the columns of the first file, and whether it can be read."
  @spec fields(spec()) :: {:ok, [field()]} | {:error, Error.t()}
  def fields(spec) do
    case Enum.take(pieces(spec, &Telemetry.none/1), 1) do
      [fields: fields] -> {:ok, fields}
      [] -> {:ok, []}
    end
  rescue
    error in Error -> {:error, error}
  end

  @doc "Returns a lazy stream of batches; there is at least one, which may have no rows."
  @spec batches(spec()) :: Enumerable.t(batch())
  def batches(spec) do
    Stream.transform(
      pieces(spec, &Telemetry.start(:rows, spec.about, &1.hub.token)),
      fn -> nil end,
      fn
        {:fields, fields}, nil -> {[{fields, 0, Enum.map(fields, fn _field -> [] end)}], of(fields)}
        {:rows, rows}, {fields, readers} -> {[batch(rows, fields, readers)], {fields, readers}}
      end,
      fn _state -> :ok end
    )
  end

  @doc "Returns a lazy stream of rows, each a map of its values by the names of their columns."
  @spec stream(spec()) :: Enumerable.t(map())
  def stream(spec), do: Stream.flat_map(batches(spec), &rows/1)

  defp pieces(spec, observe), do: Native.stream(:rows, fn -> spec.job end, observe)
  defp of(fields), do: {fields, Enum.map(fields, &Value.reader(&1.type))}

  defp batch(rows, fields, readers) do
    columns =
      Enum.zip_with(rows.columns, readers, fn
        values, nil -> values
        values, reader -> Enum.map(values, reader)
      end)

    {fields, rows.count, columns}
  end

  defp rows({_fields, 0, _columns}), do: []

  defp rows({fields, _count, columns}) do
    names = Enum.map(fields, & &1.name)
    Enum.zip_with(columns, &:maps.from_list(:lists.zip(names, &1)))
  end
end
