defmodule HfHub.Decode do
  # Decodes JSON and the engine's maps into the structs of `HfHub.Schema`. The input is untrusted: a
  # missing or malformed field is `nil`, and a response of another shape is an error.
  @moduledoc false

  # Any time, and its parts in the order in which native code sets them.
  @time {~U[1970-01-01 00:00:00Z], [:year, :month, :day, :hour, :minute, :second, :microsecond]}

  defmodule Error do
    @moduledoc false
    defexception [:message]
  end

  @typedoc "Decodes the JSON of a response: a function, a module with a table, or a list of its structs."
  @type decoder :: (term() -> term()) | module() | [module()]

  @doc "Decodes the JSON of a response, of which native code may have decoded objects."
  @spec response(decoder(), term()) :: term()
  def response(decode, json) when is_function(decode), do: decode.(json)
  def response([module], json), do: items(json, to(module))
  def response(module, json), do: HfHub.Decode.struct(module, json)

  @doc """
  Returns what native code needs to decode the objects of a response: the type in the form of
  `HfHub.Schema.Type.plan/1`, how times are made, and the tables of all structs in it. `nil` where only Elixir can.
  """
  @spec tables(decoder()) :: {term(), {DateTime.t(), [atom()]}, [tuple()]} | nil
  def tables(decode) when is_function(decode), do: nil
  def tables([module]), do: {[{:struct, module}], @time, reached([module], [])}
  def tables(module), do: {{:struct, module}, @time, reached([module], [])}

  defp reached([], tables), do: tables

  defp reached([module | rest], tables) do
    if List.keymember?(tables, module, 0) do
      reached(rest, tables)
    else
      {empty, rows} = module.__table__()
      reached(modules(rows) ++ rest, [{module, empty, rows} | tables])
    end
  end

  defp modules(rows), do: for({_field, _from, plan, _default} <- rows, module <- module(plan), do: module)

  defp module({:struct, module}), do: [module]
  defp module([plan]), do: module(plan)
  defp module(_plan), do: []

  @doc "Decodes a JSON object into a struct, by the struct's table. One that native code has decoded is returned."
  @spec struct(module(), term()) :: struct()
  def struct(module, %module{} = decoded), do: decoded
  def struct(module, json) when is_map(json), do: module.__decode__(json)
  def struct(_module, _json), do: raise(Error, message: "expected a JSON object")

  @doc "Same as `struct/2`, but raises the error of the public API."
  @spec response!(module(), term()) :: struct()
  def response!(module, json) do
    HfHub.Decode.struct(module, json)
  rescue
    error in Error -> raise HfHub.Error.new(:invalid_response, error.message)
  end

  @doc "Returns a function that decodes JSON objects into structs."
  @spec to(module()) :: (term() -> struct())
  def to(module), do: &HfHub.Decode.struct(module, &1)

  @doc "Decodes a JSON list with a converter for its items; any other value raises."
  @spec items(term(), (term() -> value)) :: [value] when value: term()
  def items(items, convert) when is_list(items), do: Enum.map(items, convert)
  def items(_other, _convert), do: raise(Error, message: "expected a JSON list")

  @doc "Returns a JSON object unchanged."
  @spec object(term()) :: map()
  def object(json) when is_map(json), do: json
  def object(_other), do: raise(Error, message: "expected a JSON object")

  @doc "Returns a required text; any other value raises."
  @spec text(term()) :: String.t()
  def text(text) when is_binary(text), do: text
  def text(_other), do: raise(Error, message: "a required name or id is missing")

  @doc "Returns a field of a JSON object; `nil` if it is missing."
  @spec get(term(), term()) :: term()
  def get(json, name) when is_map(json), do: Map.get(json, name)
  def get(_other, _name), do: nil

  @doc "Returns the default in place of `nil`."
  @spec default(term(), term()) :: term()
  def default(nil, default), do: default
  def default(value, _default), do: value

  @doc """
  Converts a value to a type in the form that `HfHub.Schema.Type.plan/1` returns. A value of another type is
  returned unchanged, or is `nil`.
  """
  @spec value(term(), term()) :: term()
  def value(value, :as_is), do: value
  def value(text, :name), do: text(text)
  def value(value, {:is, wanted}), do: value === wanted
  def value(nil, _type), do: nil
  def value(text, {:enum, atoms}), do: Map.get(atoms, text, text)
  def value(text, :datetime) when is_binary(text), do: datetime(text)
  def value(other, :datetime), do: other
  def value(seconds, :timestamp) when is_number(seconds), do: timestamp(seconds)
  def value(other, :timestamp), do: value(other, :datetime)
  def value(time, :microseconds), do: DateTime.from_unix!(time, :microsecond)
  def value(items, [:as_is]), do: if(is_list(items), do: items)
  def value(items, [type]), do: if(is_list(items), do: Enum.map(items, &item(&1, type)))

  def value(map, {:map, type}) when is_map(map),
    do: Map.new(map, fn {name, item} -> {name, item(item, type)} end)

  def value(_other, {:map, _type}), do: nil
  def value(json, {:field, name}), do: get(json, name)
  def value(%{} = json, {:in, name}), do: value(get(json, name), :text)
  def value(text, {:in, _name}), do: value(text, :text)
  def value(text, :text), do: if(is_binary(text), do: text)

  def value(number, {:clamp, first..last//_}),
    do: if(is_integer(number), do: number |> max(first) |> min(last))

  # The Hub sends `false` for some missing objects.
  def value(false, {:struct, _module}), do: false
  def value(json, {:struct, module}), do: HfHub.Decode.struct(module, json)

  defp item(json, {:struct, module}), do: HfHub.Decode.struct(module, json)
  defp item(json, type), do: value(json, type)

  defp datetime(text) do
    case DateTime.from_iso8601(text) do
      {:ok, datetime, _offset} -> datetime
      {:error, _reason} -> text
    end
  end

  defp timestamp(seconds) do
    case DateTime.from_unix(trunc(seconds)) do
      {:ok, time} -> time
      {:error, _reason} -> seconds
    end
  end
end
