defmodule HfHub.Fnmatch do
  # File name patterns with the semantics of Python's `fnmatch`, as the engine matches them: against the whole
  # path, case-sensitive, and with `*` crossing `/`. The time is linear in practice and quadratic at worst.
  @moduledoc false

  @doc "Returns whether a pattern matches the whole of a path. A pattern that ends in `/` matches all files below it."
  @spec matches?(String.t(), String.t()) :: boolean()
  def matches?(pattern, path) do
    pattern = slashes(pattern)
    pattern = if String.ends_with?(pattern, "/"), do: pattern <> "*", else: pattern
    pattern |> String.to_charlist() |> tokens() |> match(path |> slashes() |> String.to_charlist(), nil)
  end

  @doc "Returns the pattern that matches this path only."
  @spec literal(String.t()) :: String.t()
  def literal(path), do: String.replace(path, ["[", "*", "?"], &"[#{&1}]")

  @doc "Returns whether a text is a pattern, which may match several paths."
  @spec pattern?(String.t()) :: boolean()
  def pattern?(text), do: String.contains?(text, ["[", "*", "?"])

  defp slashes(text), do: String.replace(text, "\\", "/")

  # `retry` is what follows the last `*`, and the rest of the path from which it was tried.
  defp match([], [], _retry), do: true
  defp match([:star | tokens], path, _retry), do: match(tokens, path, {tokens, path})

  defp match([token | tokens], [char | path], retry) do
    if fits?(token, char), do: match(tokens, path, retry), else: again(retry)
  end

  defp match(_tokens, _path, retry), do: again(retry)

  defp again({tokens, [_char | path]}), do: match(tokens, path, {tokens, path})
  defp again(_exhausted), do: false

  defp fits?(:any, _char), do: true
  defp fits?({:set, negated?, ranges}, char), do: Enum.any?(ranges, &(char in &1)) != negated?
  defp fits?(own, char), do: own == char

  defp tokens([]), do: []
  defp tokens([?* | rest]), do: [:star | tokens(rest)]
  defp tokens([?? | rest]), do: [:any | tokens(rest)]
  defp tokens([?[, ?! | rest] = all), do: set(rest, true, all)
  defp tokens([?[ | rest] = all), do: set(rest, false, all)
  defp tokens([char | rest]), do: [char | tokens(rest)]

  # A `]` right after the opening bracket belongs to the set. A bracket that is not closed is a character.
  defp set([first | rest], negated?, [bracket | after_bracket]) do
    case Enum.split_while(rest, &(&1 != ?])) do
      {inside, [?] | after_set]} -> [{:set, negated?, ranges([first | inside])} | tokens(after_set)]
      {_all, []} -> [bracket | tokens(after_bracket)]
    end
  end

  defp set([], _negated?, [bracket | after_bracket]), do: [bracket | tokens(after_bracket)]

  defp ranges([from, ?-, to | rest]), do: [from..to//1 | ranges(rest)]
  defp ranges([char | rest]), do: [char..char | ranges(rest)]
  defp ranges([]), do: []
end
