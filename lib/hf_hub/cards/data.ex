defmodule HfHub.Cards.Data do
  # Converts a card's metadata between names in YAML and fields of a struct. Names without a field are
  # kept in `extra`.
  @moduledoc false

  alias HfHub.Cards.{DatasetCardData, ModelCardData, ModelIndex, SpaceCardData}

  @index "model-index"

  @type t :: ModelCardData.t() | DatasetCardData.t() | SpaceCardData.t()

  @doc "Converts metadata to a struct of `module`."
  @spec from_map(map(), module()) :: t()
  def from_map(map, module) do
    names = names(module)
    known = for {field, name} <- names, do: {field, map[name]}
    scored(struct!(module, [extra: Map.drop(map, Keyword.values(names))] ++ known))
  end

  @doc "Converts a caller's metadata to a struct: fields, and other names as atoms or strings."
  @spec create(map() | keyword(), module()) :: t()
  def create(given, module) do
    unless is_map(given) or (is_list(given) and Enum.all?(given, &match?({_name, _value}, &1))) do
      raise ArgumentError, "expected metadata as a map or a keyword list, got: #{HfHub.Options.shown(given)}"
    end

    given
    |> Enum.reduce(struct!(module), fn
      {:extra, extra}, data -> %{data | extra: Map.merge(data.extra, extra)}
      {name, value}, data -> put(data, name, value)
    end)
    |> scored()
  end

  @doc "Returns the value of an entry, by the name of its field or its name in YAML."
  @spec get(t(), atom() | String.t()) :: term()
  def get(%module{} = data, name) do
    field = field(name, module)
    if field, do: Map.fetch!(data, field), else: data.extra[to_string(name)]
  end

  @doc "Sets the value of an entry, by the name of its field or its name in YAML."
  @spec put(t(), atom() | String.t(), term()) :: t()
  def put(%module{} = data, name, value) do
    case field(name, module) do
      nil -> %{data | extra: Map.put(data.extra, to_string(name), value)}
      field -> Map.replace!(data, field, value)
    end
  end

  defp field(name, module) do
    computed =
      for {field, field, _, _, _} <- module.__fields__(), field != :extra, do: {field, to_string(field)}

    Enum.find_value(names(module) ++ computed, fn {field, text} -> if name in [field, text], do: field end)
  end

  # The names in YAML of the fields.
  defp names(module),
    do: for({field, name, _, _, _} when is_binary(name) <- module.__fields__(), do: {field, name})

  defp scored(%ModelCardData{eval_results: nil} = data) do
    case ModelIndex.parse(data.extra[@index]) do
      {name, results} -> %{data | model_name: name, eval_results: results}
      nil -> data
    end
  end

  defp scored(data), do: data

  @doc "Returns the metadata as pairs of names and values, without those that are `nil`."
  @spec to_pairs(t()) :: [{String.t(), term()}]
  # Unchanged results keep their formatting.
  def to_pairs(%ModelCardData{} = data) do
    written = ModelIndex.parse(data.extra[@index])
    pairs = pairs(data)

    cond do
      written == {data.model_name, data.eval_results} -> without(pairs, ["model_name"])
      data.eval_results not in [nil, []] -> without(pairs, ["model_name", @index]) ++ [{@index, index!(data)}]
      written == nil -> pairs
      true -> without(pairs, [@index])
    end
  end

  def to_pairs(data), do: pairs(data)

  defp pairs(%module{} = data) do
    known = for {field, name} <- names(module), do: {name, Map.fetch!(data, field)}
    for {name, value} <- known ++ Enum.sort(data.extra), value != nil, do: {name, plain(value)}
  end

  defp index!(%{model_name: nil}), do: raise(ArgumentError, "a card with :eval_results requires :model_name")
  defp index!(data), do: ModelIndex.render(data.model_name, data.eval_results)

  defp without(pairs, names), do: Enum.reject(pairs, fn {name, _value} -> name in names end)

  # In YAML, dates and times are strings; other structs have no representation.
  defp plain(%module{} = time) when module in [Date, Time, NaiveDateTime, DateTime],
    do: module.to_iso8601(time)

  defp plain(%_module{}),
    do: raise(ArgumentError, "invalid card metadata: a struct cannot be represented in YAML")

  defp plain(%{} = map), do: Map.new(map, fn {name, value} -> {name, plain(value)} end)
  defp plain(list) when is_list(list), do: Enum.map(list, &plain/1)
  defp plain({name, value}), do: {name, plain(value)}
  defp plain(value), do: value
end
