defmodule HfHub.CLI.Nearest do
  # Suggestions for mistyped names.
  @moduledoc false

  @doc "Returns `; did you mean …?` with the nearest names, or nothing."
  @spec hint(String.t(), [String.t()], String.t()) :: String.t()
  def hint(given, known, prefix \\ "") do
    case names(given, known) do
      [] -> ""
      names -> "; did you mean #{Enum.map_join(names, " or ", &(prefix <> &1))}?"
    end
  end

  @doc "Returns up to two names that are similar to the given one, the nearest first."
  @spec names(String.t(), [String.t()]) :: [String.t()]
  def names(given, known) do
    known
    |> Enum.uniq()
    |> Enum.map(&{String.jaro_distance(&1, given), &1})
    |> Enum.filter(fn {similarity, _name} -> similarity > 0.75 end)
    |> Enum.sort(:desc)
    |> Enum.take(2)
    |> Enum.map(&elem(&1, 1))
  end
end
