defmodule HfHub.Brief do
  # The one-line `Inspect` of structs that keep a whole JSON response. The values come from the
  # network, so only numbers and short, printable texts are shown as they are.
  @moduledoc false

  @longest 100

  # Characters that move the cursor of a terminal or change the direction of text.
  @unseen ~r/[[:cntrl:]\x{2028}-\x{202e}\x{2066}-\x{2069}]/u

  @doc "Returns `#Module<fact, fact>`, where a fact is a value or `{value, unit}`."
  @spec line(struct(), [term()]) :: String.t()
  def line(%module{}, facts) do
    shown = for fact <- facts, text = show(fact), do: text
    "##{inspect(module)}<#{Enum.join(shown, ", ")}>"
  end

  @doc "Returns a size in decimal units, as the pages of the Hub show it."
  @spec size(non_neg_integer()) :: String.t()
  def size(bytes) when bytes < 1000, do: "#{bytes} B"

  def size(bytes) do
    {unit, divisor} =
      Enum.find([{"GB", 1_000_000_000}, {"MB", 1_000_000}, {"kB", 1000}], fn {_, divisor} ->
        bytes >= divisor
      end)

    "#{:erlang.float_to_binary(bytes / divisor, decimals: 1)} #{unit}"
  end

  @doc "Returns the size of the partial files in a cache or a repository, as an appendix."
  @spec incomplete(%{:incomplete_size => non_neg_integer(), optional(atom()) => term()}) :: String.t()
  def incomplete(%{incomplete_size: 0}), do: ""
  def incomplete(%{incomplete_size: size}), do: " and #{size(size)} incomplete"

  @doc "Returns what a token is, in a few words; see `HfHub.Auth.TokenInfo`."
  @spec token(HfHub.Auth.TokenInfo.t()) :: String.t()
  def token(info) do
    role = info.role && info.role |> to_string() |> String.replace("_", "-")
    kind = if info.type == "oauth", do: "token of a login by browser", else: "token"
    name = if info.name, do: " " <> inspect(info.name), else: ""
    String.trim_leading("#{role} #{kind}#{name}")
  end

  @doc "Returns a number of things, which are named in the plural."
  @spec count(non_neg_integer(), String.t()) :: String.t()
  def count(1, units) do
    cond do
      String.ends_with?(units, "ies") -> "1 " <> String.replace_suffix(units, "ies", "y")
      String.ends_with?(units, "ches") -> "1 " <> String.replace_suffix(units, "es", "")
      true -> "1 " <> String.replace_suffix(units, "s", "")
    end
  end

  def count(number, units), do: "#{number} #{units}"

  defp show({1, units}), do: count(1, units)
  defp show({value, unit}), do: if(text = show(value), do: "#{text} #{unit}")
  defp show(number) when is_number(number), do: to_string(number)
  defp show(atom) when atom in [nil, true, false], do: nil
  defp show(atom) when is_atom(atom), do: to_string(atom)

  defp show(text) when is_binary(text) do
    if String.printable?(text) and String.length(text) <= @longest and not (text =~ @unseen),
      do: text,
      else: inspect(text, printable_limit: @longest)
  end

  defp show(_other), do: nil
end
