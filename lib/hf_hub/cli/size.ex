defmodule HfHub.CLI.Size do
  # Sizes and times in listings, as `hf` prints them.
  @moduledoc false

  @doc "Returns a size in decimal units."
  @spec units(number()) :: String.t()
  def units(bytes) when bytes < 1000, do: "#{bytes} B"
  def units(bytes), do: units(bytes / 1000, ~w(KB MB GB TB PB))

  defp units(size, [unit | more]) when size < 1000 or more == [],
    do: "#{:erlang.float_to_binary(size, decimals: 1)} #{unit}"

  defp units(size, [_unit | more]), do: units(size / 1000, more)

  @doc "Returns a size in decimal units of one letter."
  @spec short(non_neg_integer()) :: String.t()
  def short(bytes), do: letter(bytes / 1, ["", "K", "M", "G", "T", "P"])

  defp letter(size, [unit | more]) when size < 1000 or more == [],
    do: :erlang.float_to_binary(size, decimals: 1) <> unit

  defp letter(size, [_unit | more]), do: letter(size / 1000, more)

  @doc "Returns a time to the second."
  @spec time(DateTime.t() | nil, boolean()) :: String.t()
  def time(nil, _short?), do: ""
  def time(time, true), do: Calendar.strftime(time, "%b %d %H:%M")
  def time(time, false), do: Calendar.strftime(time, "%Y-%m-%d %H:%M:%S")
end
