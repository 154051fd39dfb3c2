defmodule HfHub.Cards.Data do
  # A card's metadata between YAML's names and a struct's fields. What no field is for is kept in
  # `extra`, under its own name.
  @moduledoc false

  @doc "Makes a struct of `module` out of metadata; `fields` has the name of each field in YAML."
  @spec from_map(map(), module(), keyword(String.t())) :: struct()
  def from_map(map, module, fields) do
    known = for {field, name} <- fields, do: {field, map[name]}
    struct!(module, [extra: Map.drop(map, Keyword.values(fields))] ++ known)
  end

  @doc "Makes a struct out of what a caller gives: fields, and further names as atoms or strings."
  @spec create(map() | keyword(), module(), keyword(String.t())) :: struct()
  def create(given, module, fields) do
    unless is_map(given) or (is_list(given) and Enum.all?(given, &match?({_name, _value}, &1))) do
      raise ArgumentError, "expected metadata as a map or a keyword list, got: #{HfHub.Options.shown(given)}"
    end

    Enum.reduce(given, struct!(module), fn
      {:extra, extra}, data -> %{data | extra: Map.merge(data.extra, extra)}
      {name, value}, data -> put(data, field(name, fields), name, value)
    end)
  end

  @doc "The metadata as pairs of names and values, without what is `nil`."
  @spec to_pairs(struct(), keyword(String.t())) :: [{String.t(), term()}]
  def to_pairs(data, fields) do
    known = for {field, name} <- fields, do: {name, Map.fetch!(data, field)}
    for {name, value} <- known ++ Enum.sort(data.extra), value != nil, do: {name, plain(value)}
  end

  # YAML has texts for times, and nothing for other structs.
  defp plain(%module{} = time) when module in [Date, Time, NaiveDateTime, DateTime],
    do: module.to_iso8601(time)

  defp plain(%_module{}),
    do: raise(ArgumentError, "the card's metadata has a struct in it, which YAML cannot say")

  defp plain(%{} = map), do: Map.new(map, fn {name, value} -> {name, plain(value)} end)
  defp plain(list) when is_list(list), do: Enum.map(list, &plain/1)
  defp plain({name, value}), do: {name, plain(value)}
  defp plain(value), do: value

  defp put(data, nil, name, value), do: %{data | extra: Map.put(data.extra, to_string(name), value)}
  defp put(data, field, _name, value), do: Map.replace!(data, field, value)

  defp field(name, fields) do
    Enum.find_value(fields, fn {field, text} -> if name in [field, text], do: field end)
  end
end
