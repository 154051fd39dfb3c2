defmodule HfHub.Decode do
  # JSON into structs, by tables: `name: "path"`, `name: ["a", "path"]` or
  # `name: {path, converter}`. Unknown fields stay in `raw`, where a struct has that.
  @moduledoc false

  defmodule Error do
    @moduledoc false
    defexception [:message]
  end

  @doc "Makes a struct out of a JSON object."
  @spec struct(term(), module(), keyword()) :: struct()
  def struct(json, module, fields) when is_map(json) do
    values = for {name, rule} <- fields, do: {name, value(json, rule)}
    decoded = struct!(module, values)
    if Map.has_key?(decoded, :raw), do: %{decoded | raw: json}, else: decoded
  end

  def struct(_json, _module, _fields), do: raise(Error, message: "it is no object")

  @doc "Makes a list, `[]` where there is none, with a converter for its items."
  @spec list((term() -> term())) :: (term() -> list())
  def list(convert) do
    fn
      items when is_list(items) -> Enum.map(items, convert)
      _none -> []
    end
  end

  @doc "Makes a `DateTime` out of an ISO 8601 text; a text that is none stays one."
  @spec datetime(term()) :: term()
  def datetime(text) when is_binary(text) do
    case DateTime.from_iso8601(text) do
      {:ok, datetime, _offset} -> datetime
      {:error, _reason} -> text
    end
  end

  def datetime(other), do: other

  @doc "Makes atoms of the texts in a fixed list; any other value stays what it is."
  @spec enum([atom()]) :: (term() -> term())
  def enum(atoms) do
    known = Map.new(atoms, &{to_string(&1), &1})
    fn value -> Map.get(known, value, value) end
  end

  @doc "Converts what is there, and leaves `nil` alone."
  @spec optional((term() -> term())) :: (term() -> term())
  def optional(convert), do: fn value -> if value == nil, do: nil, else: convert.(value) end

  defp value(json, {path, convert}) when is_function(convert, 1), do: convert.(value(json, path))
  defp value(json, path) when is_list(path), do: Enum.reduce(path, json, &get/2)
  defp value(json, name), do: get(name, json)

  defp get(name, json) when is_map(json), do: Map.get(json, name)
  defp get(_name, _other), do: nil
end
