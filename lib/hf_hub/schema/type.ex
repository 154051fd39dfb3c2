defmodule HfHub.Schema.Type do
  # The types in the tables of `HfHub.Schema`, for the docs, for Dialyzer and for `HfHub.Decode`.
  #
  #   * `:string`, `:binary`, `:path`, `:boolean`, `:integer`, `:number`, `:atom`, `:map`, `:reference`, `:any`,
  #     `{:tuple, types}`, `{:keys, types_by_key}`, `{:type, module, name}` and `{:or, types}` - returned unchanged
  #   * `:name` - a required string
  #   * `:datetime` - from ISO 8601; `:timestamp` - from seconds since 1970, or ISO 8601; `:microseconds` - from
  #     microseconds since 1970, as the engine returns times
  #   * `{:enum, atoms}` - atoms, or pairs of an atom and its string; any other value is returned unchanged
  #   * `{:is, value}` - whether it is that value
  #   * `{:clamp, range}` - an integer, clamped to the range
  #   * `{:field, name}` - a string in an object; `{:in, name}` - a string, alone or in an object
  #   * a module with a table, `[type]`, and `{:map, type}` for values by name
  #   * `nil` and other atoms - themselves, in `{:or, types}`
  @moduledoc false

  @type t :: term()

  @times [:datetime, :timestamp, :microseconds]
  @as_is [:string, :binary, :path, :boolean, :integer, :number, :atom, :map, :reference, :any]

  @doc "Returns the quoted typespec."
  @spec spec(t()) :: Macro.t()
  def spec(type) when type in [:string, :name], do: quote(do: String.t())
  def spec(:path), do: quote(do: Path.t())
  def spec(type) when type in @times, do: quote(do: DateTime.t())
  def spec(:integer), do: quote(do: non_neg_integer())
  def spec(:any), do: quote(do: term())
  def spec(type) when type in @as_is, do: {type, [], []}
  def spec([type]), do: [spec(type)]
  def spec({:type, module, name}), do: quote(do: unquote(module).unquote(name)())
  def spec({:clamp, first..last//_}), do: {:.., [], [first, last]}
  def spec({:is, _value}), do: spec(:boolean)
  def spec({tag, _name}) when tag in [:field, :in], do: spec(:string)
  def spec({:enum, atoms}), do: spec({:or, Enum.map(atoms, &atom/1) ++ [:string]})
  def spec({:map, type}), do: quote(do: %{String.t() => unquote(spec(type))})
  def spec({:tuple, types}), do: {:{}, [], Enum.map(types, &spec/1)}
  def spec({:keys, types}), do: {:%{}, [], for({key, type} <- types, do: {key, spec(type)})}
  def spec({:or, types}), do: types |> Enum.map(&spec/1) |> Enum.reverse() |> Enum.reduce(&{:|, [], [&1, &2]})
  def spec(atom), do: if(module?(atom), do: quote(do: unquote(atom).t()), else: atom)

  @doc "Returns the type in words, with an article."
  @spec name(t()) :: String.t()
  def name(:name), do: "a string"
  def name(:any), do: "any value"
  def name(type) when type in [:integer, :atom], do: "an #{type}"
  def name(type) when type in @as_is, do: "a #{type}"
  def name(type) when type in @times, do: "a `DateTime`"
  def name([type]), do: "a list of #{plural(type)}"
  def name({:type, module, name}), do: "a `t:#{inspect(module)}.#{name}/0`"
  def name({:clamp, _range}), do: "an integer"
  def name({:is, _value}), do: "a boolean"
  def name({tag, _name}) when tag in [:field, :in], do: "a string"
  def name({:enum, [atom]}), do: name(atom(atom))
  def name({:enum, atoms}), do: "one of " <> Enum.map_join(atoms, ", ", &name(atom(&1)))
  def name({:map, type}), do: "a map of names to #{plural(type)}"
  def name({:tuple, types}), do: "a tuple of " <> Enum.map_join(types, " and ", &name/1)

  def name({:keys, types}),
    do: "a map of " <> Enum.map_join(types, ", ", fn {key, _type} -> "`#{inspect(key)}`" end)

  def name({:or, types}), do: Enum.map_join(types, " or ", &name/1)
  def name(atom), do: if(module?(atom), do: "a `#{inspect(atom)}`", else: "`#{inspect(atom)}`")

  defp plural(:any), do: "values"
  defp plural(type) when type in @as_is, do: "#{type}s"
  defp plural([type]), do: "lists of #{plural(type)}"
  defp plural({:keys, _types} = type), do: String.replace_prefix(name(type), "a map", "maps")
  defp plural({:field, _name}), do: "strings"
  defp plural({:enum, atoms}), do: Enum.map_join(atoms, " or ", &name(atom(&1)))
  defp plural({:tuple, types}), do: "tuples of " <> Enum.map_join(types, " and ", &name/1)
  defp plural(type), do: String.replace_prefix(name(type), "a ", "")

  @doc "Returns the type in the form that `HfHub.Decode.value/2` expects."
  @spec plan(t()) :: term()
  # Booleans in the list of atoms are booleans in JSON too.
  def plan({:enum, atoms}),
    do: {:enum, for(atom <- atoms, not is_boolean(atom), into: %{}, do: {text(atom), atom(atom)})}

  def plan([type]), do: [plan(type)]
  def plan({:map, type}), do: if(plan(type) == :as_is, do: :as_is, else: {:map, plan(type)})
  def plan({kind, _types}) when kind in [:keys, :or, :tuple], do: :as_is
  def plan({:type, _module, _name}), do: :as_is
  def plan({_kind, _detail} = type), do: type
  def plan(type) when type in [:name | @times], do: type
  def plan(atom), do: if(module?(atom), do: {:struct, atom}, else: :as_is)

  defp module?(atom), do: match?("Elixir." <> _name, Atom.to_string(atom))

  defp atom({atom, _text}), do: atom
  defp atom(atom), do: atom

  defp text({_atom, text}), do: text
  defp text(atom), do: Atom.to_string(atom)
end
