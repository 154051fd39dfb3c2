# The functions of Explorer that this library calls, with their documented contracts: a series is of one type, whose
# values it checks, and a data frame has series of the same length. Missing values are `nil`.
defmodule Explorer.Series do
  defstruct [:dtype, :values]

  def from_list(list, dtype: dtype) do
    unless Enum.all?(list, &(&1 == nil or valid?(&1, dtype))),
      do: raise(ArgumentError, "a value is not of #{inspect(dtype)}: #{inspect(list, limit: 5)}")

    %__MODULE__{dtype: dtype, values: list}
  end

  defp valid?(value, {:s, bits}) when bits in [8, 16, 32, 64],
    do: is_integer(value) and value in -(2 ** (bits - 1))..(2 ** (bits - 1) - 1)

  defp valid?(value, {:u, bits}) when bits in [8, 16, 32, 64],
    do: is_integer(value) and value in 0..(2 ** bits - 1)

  defp valid?(value, {:f, bits}) when bits in [32, 64],
    do: is_float(value) or value in [:nan, :infinity, :neg_infinity]

  defp valid?(value, :boolean), do: is_boolean(value)
  defp valid?(value, :string), do: is_binary(value) and String.valid?(value)
  defp valid?(value, :binary), do: is_binary(value)
  defp valid?(value, :date), do: is_struct(value, Date)
  defp valid?(value, :time), do: is_struct(value, Time)
  defp valid?(value, {:naive_datetime, unit}), do: unit?(unit) and is_struct(value, NaiveDateTime)
  defp valid?(value, {:datetime, unit, "Etc/UTC"}), do: unit?(unit) and is_struct(value, DateTime)

  defp valid?(value, {:list, dtype}),
    do: is_list(value) and Enum.all?(value, &(&1 == nil or valid?(&1, dtype)))

  defp valid?(value, {:struct, fields}) do
    is_map(value) and Enum.sort(Map.keys(value)) == Enum.sort(for({name, _dtype} <- fields, do: name)) and
      Enum.all?(fields, fn {name, dtype} -> value[name] == nil or valid?(value[name], dtype) end)
  end

  defp valid?(_value, _dtype), do: false
  defp unit?(unit), do: unit in [:millisecond, :microsecond, :nanosecond]
end

defmodule Explorer.DataFrame do
  defstruct [:names, :series]

  def new(pairs) when is_list(pairs) do
    [_one] = Enum.uniq(for {_name, series} <- pairs, do: length(series.values))
    %__MODULE__{names: Enum.map(pairs, &elem(&1, 0)), series: Map.new(pairs)}
  end

  def concat_rows([first | _rest] = frames) do
    series =
      for name <- first.names, into: %{} do
        [dtype] = Enum.uniq(Enum.map(frames, & &1.series[name].dtype))
        {name, %Explorer.Series{dtype: dtype, values: Enum.flat_map(frames, & &1.series[name].values)}}
      end

    %{first | series: series}
  end
end
