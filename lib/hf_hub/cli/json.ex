defmodule HfHub.CLI.Json do
  # JSON of results: structs as objects, without their `:raw` and without secrets.
  @moduledoc false

  alias HfHub.CLI.Table
  alias HfHub.Native.Nif

  @doc "Returns a value as compact JSON."
  @spec encode(term()) :: String.t()
  def encode(value), do: value |> plain() |> Nif.to_json()

  @doc "Returns a value that JSON can express, with text keys."
  @spec plain(term()) :: term()
  def plain(%DateTime{} = time), do: DateTime.to_iso8601(time)
  def plain(%Date{} = date), do: Date.to_iso8601(date)
  def plain(%MapSet{} = set), do: set |> MapSet.to_list() |> plain()

  def plain(%_struct{} = struct),
    do: struct |> Map.from_struct() |> Map.drop([:raw, :__exception__]) |> plain()

  def plain(map) when is_map(map), do: Map.new(map, fn {key, value} -> {key(key), plain(value)} end)
  def plain(list) when is_list(list), do: Enum.map(list, &plain/1)
  def plain(tuple) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> plain()
  # File names may be invalid UTF-8, which JSON does not allow.
  def plain(text) when is_binary(text), do: if(String.valid?(text), do: text, else: Table.line(text))
  def plain(other), do: other

  @doc "Returns a value that JSON can express, without the entries that have no value."
  @spec given(term()) :: term()
  def given(value), do: value |> plain() |> without_nil()

  defp without_nil(map) when is_map(map) do
    for {key, value} when value != nil <- map, into: %{}, do: {key, without_nil(value)}
  end

  defp without_nil(list) when is_list(list), do: Enum.map(list, &without_nil/1)
  defp without_nil(value), do: value

  @doc "Returns structs as rows of a table, in the order of their fields."
  @spec rows([struct()]) :: [Table.row()]
  def rows(structs), do: Enum.map(structs, &row/1)

  @doc "Returns a struct as the row of a table, in the order of its fields."
  @spec row(struct()) :: Table.row()
  def row(%module{} = struct) do
    values = given(struct)

    for {name, _from, _type, _doc, _opts} <- module.__fields__(),
        key = Atom.to_string(name),
        Map.has_key?(values, key),
        do: {key, values[key]}
  end

  defp key(key) when is_atom(key), do: Atom.to_string(key)
  defp key(key), do: plain(key)

  @doc "Returns a plain value as indented JSON."
  @spec pretty(term()) :: String.t()
  def pretty(value), do: value |> indented("") |> IO.iodata_to_binary()

  defp indented(map, _indent) when map == %{}, do: "{}"
  defp indented([], _indent), do: "[]"

  defp indented(map, indent) when is_map(map) do
    inner = indent <> "  "
    items = for {key, value} <- Enum.sort(map), do: [inner, Nif.to_json(key), ": ", indented(value, inner)]
    ["{\n", Enum.intersperse(items, ",\n"), "\n", indent, "}"]
  end

  defp indented(list, indent) when is_list(list) do
    inner = indent <> "  "
    items = for value <- list, do: [inner, indented(value, inner)]
    ["[\n", Enum.intersperse(items, ",\n"), "\n", indent, "]"]
  end

  defp indented(value, _indent), do: Nif.to_json(value)
end
