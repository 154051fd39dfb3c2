defmodule HfHub.Datasets.AsExplorer do
  # Data frames of Explorer, where it is loaded: this library does not depend on it.
  @moduledoc false

  alias HfHub.Datasets.Rows
  alias HfHub.Native.Nif

  @frame Explorer.DataFrame
  @series Explorer.Series

  @doc "Returns whether a data frame is wanted. Raises if it is and Explorer is not loaded."
  @spec wanted?(:auto | :rows | :explorer) :: boolean()
  def wanted?(:rows), do: false
  def wanted?(:auto), do: loaded?()

  def wanted?(:explorer) do
    loaded?() or
      raise(
        ArgumentError,
        "Explorer is not loaded; add {:explorer, \"~> 0.10\"} to the dependencies of the project"
      )
  end

  @doc "Returns a data frame of all rows of the batches."
  @spec frame(Enumerable.t(Rows.batch())) :: struct()
  def frame(batches) do
    case Enum.map(batches, &of_batch/1) do
      [frame] -> frame
      frames -> apply(@frame, :concat_rows, [frames])
    end
  end

  @doc "Returns a lazy stream of data frames, one for each batch with rows."
  @spec frames(Enumerable.t(Rows.batch())) :: Enumerable.t(struct())
  def frames(batches),
    do: batches |> Stream.reject(&match?({_fields, 0, _columns}, &1)) |> Stream.map(&of_batch/1)

  defp loaded?, do: Code.ensure_loaded?(@frame) and function_exported?(@frame, :concat_rows, 1)

  defp of_batch({fields, _count, columns}) do
    apply(@frame, :new, [
      Enum.zip_with(fields, columns, fn %{name: name, type: type}, values ->
        {name, apply(@series, :from_list, [prepared(values, type), [dtype: dtype(type)]])}
      end)
    ])
  end

  defp prepared(values, type) do
    case prepare(type) do
      nil -> values
      prepare -> Enum.map(values, &if(&1 == nil, do: nil, else: prepare.(&1)))
    end
  end

  # Explorer has no maps and no values of any type.
  defp prepare(:json), do: &Nif.to_json/1
  defp prepare({:list, type}), do: with(prepare when prepare != nil <- prepare(type), do: &prepared(&1, type))

  defp prepare({:struct, fields}) do
    if Enum.any?(fields, &prepare(&1.type)) do
      fn map ->
        Enum.reduce(fields, map, &Map.update!(&2, &1.name, fn value -> hd(prepared([value], &1.type)) end))
      end
    end
  end

  defp prepare({:map, [key, value]}) do
    fn map ->
      for {k, v} <- map, do: %{"key" => hd(prepared([k], key)), "value" => hd(prepared([v], value))}
    end
  end

  defp prepare(_same), do: nil

  @doc "Returns the type that Explorer has for a type."
  @spec dtype(HfHub.Datasets.Value.type()) :: term()
  def dtype({:signed, bits}), do: {:s, bits}
  def dtype({:unsigned, bits}), do: {:u, bits}
  def dtype({:float, 64}), do: {:f, 64}
  def dtype({:float, _fewer}), do: {:f, 32}
  def dtype({:time, _unit}), do: :time
  def dtype({:timestamp, %{unit: unit, utc: true}}), do: {:datetime, precision(unit), "Etc/UTC"}
  def dtype({:timestamp, %{unit: unit}}), do: {:naive_datetime, precision(unit)}
  def dtype({:decimal, %{precision: precision, scale: scale}}), do: {:decimal, precision, scale}
  def dtype({:list, type}), do: {:list, dtype(type)}
  def dtype({:struct, fields}), do: {:struct, for(field <- fields, do: {field.name, dtype(field.type)})}

  def dtype({:map, [key, value]}),
    do: {:list, {:struct, [{"key", dtype(key)}, {"value", dtype(value)}]}}

  def dtype(:json), do: :string
  def dtype(same) when same in [:null, :boolean, :string, :binary, :date], do: same

  defp precision(:second), do: :millisecond
  defp precision(unit), do: unit
end
