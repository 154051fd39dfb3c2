defmodule HfHub.CLI.Table do
  # Tables as `hf` prints them. Values come from the network, so their control characters are replaced.
  @moduledoc false

  alias HfHub.Cache
  alias HfHub.CLI.Json

  @type row :: [{String.t(), term()}]

  @doc "Returns padded columns of at most that many characters in all, and whether a value was cut."
  @spec padded([row()], pos_integer() | :infinity, [String.t()]) :: {String.t(), boolean()}
  def padded(rows, columns, right) do
    names = names(rows)
    texts = for row <- rows, do: Enum.map(names, &short(value(row, &1)))
    heads = Enum.map(names, &head/1)

    natural =
      [heads | texts] |> Enum.zip_with(fn column -> column |> Enum.map(&String.length/1) |> Enum.max() end)

    widths = narrow(natural, Enum.map(heads, &max(String.length(&1), 4)), columns)
    sides = for name <- names, do: side(name, rows, right)
    rule = Enum.map(widths, &String.duplicate("-", &1))
    lines = for cells <- [heads, rule | texts], do: line(cells, widths, sides)
    {Enum.join(lines, "\n"), widths != natural}
  end

  @doc "Returns tab-separated values, with their names in the first line."
  @spec tabbed([row()]) :: String.t()
  def tabbed(rows) do
    names = names(rows)
    lines = for row <- rows, do: Enum.map_join(names, "\t", &cell(value(row, &1)))
    Enum.join([Enum.join(names, "\t") | lines], "\n")
  end

  # The columns of the first row, without those that have no value.
  defp names(rows) do
    for {name, _value} <- hd(rows), Enum.any?(rows, &(value(&1, name) != nil)), do: name
  end

  defp value(row, name) do
    case List.keyfind(row, name, 0) do
      {_name, value} -> value
      nil -> nil
    end
  end

  defp side(name, rows, right) do
    if name in right or Enum.all?(rows, &numeric?(value(&1, name))), do: :right, else: :left
  end

  defp numeric?(value), do: is_number(value) or value == nil

  # Takes one character after the other from the widest column that has room.
  defp narrow(widths, _least, :infinity), do: widths

  defp narrow(widths, least, columns) do
    room = columns - (length(widths) - 1)

    candidates =
      for {{width, least}, i} <- Enum.with_index(Enum.zip(widths, least)), width > least, do: {width, -i}

    if Enum.sum(widths) <= room or candidates == [] do
      widths
    else
      {width, i} = Enum.max(candidates)
      narrow(List.replace_at(widths, -i, width - 1), least, columns)
    end
  end

  defp line(cells, widths, sides) do
    [cells, widths, sides] |> Enum.zip_with(&fit/1) |> Enum.join(" ") |> String.trim_trailing()
  end

  defp fit([text, width, side]) do
    cond do
      String.length(text) > width -> String.slice(text, 0, width - 3) <> "..."
      side == :right -> String.pad_leading(text, width)
      true -> String.pad_trailing(text, width)
    end
  end

  defp head(name), do: ~r/([a-z])([A-Z])/ |> Regex.replace(name, "\\1_\\2") |> String.upcase()

  # A value for people: times as days.
  defp short(nil), do: ""
  defp short(true), do: "✔"
  defp short(false), do: ""
  defp short(%DateTime{} = time), do: time |> DateTime.to_date() |> Date.to_iso8601()
  defp short(list) when is_list(list), do: Enum.map_join(list, ", ", &short/1)

  defp short(<<day::binary-10, "T", _rest::binary>> = text),
    do: if(text =~ ~r/^\d{4}-\d\d-\d\dT/, do: day, else: cell(text))

  defp short(value), do: cell(value)

  @doc "Returns a value in one line."
  @spec cell(term()) :: String.t()
  def cell(nil), do: ""
  def cell(text) when is_binary(text), do: line(text)
  def cell(%DateTime{} = time), do: DateTime.to_iso8601(time)
  def cell(value) when is_atom(value) or is_number(value), do: to_string(value)
  def cell(value), do: Json.encode(value)

  @doc "Returns a text as one line without control characters."
  @spec line(String.t()) :: String.t()
  def line(text), do: text |> Cache.Table.printable() |> String.replace(~r/\s+/u, " ")
end
