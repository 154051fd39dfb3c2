defmodule HfHub.Decode do
  # JSON, and the engine's maps, into the structs of `HfHub.Schema`. What the network sent is never
  # assumed to have a shape: a table finds nothing, or the answer cannot be used.
  @moduledoc false

  defmodule Error do
    @moduledoc false
    defexception [:message]
  end

  @doc "Makes a struct out of an object, by the struct's table."
  @spec struct(module(), term()) :: struct()
  def struct(module, json) when is_map(json), do: module.__decode__(json)
  def struct(_module, _json), do: raise(Error, message: "it is no object")

  @doc "Returns a function that makes structs out of objects."
  @spec to(module()) :: (term() -> struct())
  def to(module), do: &HfHub.Decode.struct(module, &1)

  @doc "Makes a list with a converter for its items, if an answer is nothing but a list."
  @spec items(term(), (term() -> value)) :: [value] when value: term()
  def items(items, convert) when is_list(items), do: Enum.map(items, convert)
  def items(_other, _convert), do: raise(Error, message: "it is no list")

  @doc "Takes an object as it is."
  @spec object(term()) :: map()
  def object(json) when is_map(json), do: json
  def object(_other), do: raise(Error, message: "it is no object")

  @doc "Takes a text that has to be there: what names a thing."
  @spec text(term()) :: String.t()
  def text(text) when is_binary(text), do: text
  def text(_other), do: raise(Error, message: "a name is missing in it")

  @doc "Takes a field out of an object; `nil` where there is none."
  @spec get(term(), term()) :: term()
  def get(json, name) when is_map(json), do: Map.get(json, name)
  def get(_other, _name), do: nil

  @doc "Returns the default in place of `nil`."
  @spec default(term(), term()) :: term()
  def default(nil, default), do: default
  def default(value, _default), do: value

  @doc """
  Makes a value of a type in the form that `HfHub.Schema.Type.plan/1` returns. A value of another type is
  taken as it is, or is `nil`.
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
  def value(items, [:as_is]), do: if(is_list(items), do: items)
  def value(items, [type]), do: if(is_list(items), do: Enum.map(items, &item(&1, type)))

  def value(map, {:map, type}) when is_map(map),
    do: Map.new(map, fn {name, item} -> {name, item(item, type)} end)

  def value(_other, {:map, _type}), do: nil
  def value(json, {:field, name}), do: get(json, name)
  def value(number, {:clamp, first..last}), do: if(is_integer(number), do: number |> max(first) |> min(last))
  # The Hub says `false` where a part is missing, too.
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
