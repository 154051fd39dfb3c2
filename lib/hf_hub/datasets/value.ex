defmodule HfHub.Datasets.Value do
  # Values of the engine, which are numbers, texts and lists of them, as those of their types.
  @moduledoc false

  alias HfHub.Error

  @type type :: atom() | {atom(), term()}

  # The module may be missing: this library does not depend on it.
  @decimal Decimal
  @epoch ~D[1970-01-01]

  @doc "Returns the function that converts values of a type, also `nil`; `nil` where they are right as they are."
  @spec reader(type()) :: (term() -> term()) | nil
  def reader(type) do
    case convert(type) do
      nil -> nil
      convert -> fn value -> if value == nil, do: nil, else: convert.(value) end
    end
  end

  defp convert(:date), do: &Date.add(@epoch, &1)
  defp convert({:time, unit}), do: &time(&1, unit)
  defp convert({:timestamp, %{unit: unit, utc: true}}), do: &moment(&1, unit)
  defp convert({:timestamp, %{unit: unit}}), do: &DateTime.to_naive(moment(&1, unit))

  defp convert({:decimal, _digits}),
    do: if(Code.ensure_loaded?(@decimal), do: &apply(@decimal, :new, [&1]))

  defp convert({:list, type}), do: with(read when read != nil <- reader(type), do: &Enum.map(&1, read))

  defp convert({:struct, fields}) do
    case for(%{name: name, type: type} <- fields, read = reader(type), do: {name, read}) do
      [] -> nil
      readers -> &Enum.reduce(readers, &1, fn {name, read}, map -> Map.update!(map, name, read) end)
    end
  end

  defp convert({:map, [key, value]}) do
    case {reader(key), reader(value)} do
      {nil, nil} -> nil
      {key, value} -> &Map.new(&1, fn {k, v} -> {apply_to(key, k), apply_to(value, v)} end)
    end
  end

  defp convert(_same), do: nil

  defp apply_to(nil, value), do: value
  defp apply_to(read, value), do: read.(value)

  defp time(value, unit) do
    micros = System.convert_time_unit(value, unit, :microsecond)
    Time.from_seconds_after_midnight(div(micros, 1_000_000), {rem(micros, 1_000_000), digits(unit)})
  end

  defp moment(value, unit) do
    case DateTime.from_unix(value, unit) do
      {:ok, moment} -> %{moment | microsecond: {elem(moment.microsecond, 0), digits(unit)}}
      {:error, _year} -> raise Error.new(:invalid_response, "timestamp #{value} (#{unit}) is out of range")
    end
  end

  defp digits(:second), do: 0
  defp digits(:millisecond), do: 3
  defp digits(_micro_or_nano), do: 6
end
