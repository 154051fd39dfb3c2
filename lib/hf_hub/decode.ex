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
    # A list of the Hub has a hundred thousand of these: `struct!` would look each name up again.
    decoded = fill(module.__struct__(), json, fields)
    if is_map_key(decoded, :raw), do: %{decoded | raw: json}, else: decoded
  end

  def struct(_json, _module, _fields), do: raise(Error, message: "it is no object")

  @doc "Takes an object as it is."
  @spec object(term()) :: map()
  def object(json) when is_map(json), do: json
  def object(_other), do: raise(Error, message: "it is no object")

  @doc "Makes a list with a converter for its items, where an answer is nothing but a list."
  @spec items(term(), (term() -> value)) :: [value] when value: term()
  def items(items, convert) when is_list(items), do: Enum.map(items, convert)
  def items(_other, _convert), do: raise(Error, message: "it is no list")

  @doc "Makes a list, `nil` where there is none, with a converter for its items."
  @spec list_or_nil((term() -> term())) :: (term() -> list() | nil)
  def list_or_nil(convert), do: fn items -> if is_list(items), do: Enum.map(items, convert), else: nil end

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

  @doc """
  Makes atoms of the texts in a fixed list; any other value stays what it is. The list has the atoms,
  or pairs with the text of each.
  """
  @spec enum([atom()] | keyword(String.t())) :: (term() -> term())
  def enum(atoms) do
    fn value -> if is_binary(value), do: Enum.find_value(atoms, value, &named(&1, value)), else: value end
  end

  defp named({atom, text}, value), do: if(text == value, do: atom)
  defp named(atom, value), do: if(Atom.to_string(atom) == value, do: atom)

  @doc "Takes a text that has to be there: what names a thing."
  @spec text(term()) :: String.t()
  def text(text) when is_binary(text), do: text
  def text(_other), do: raise(Error, message: "a name is missing in it")

  @doc "Makes a converter that takes a field out of an object; `nil` where there is none."
  @spec field(String.t()) :: (term() -> term())
  def field(name), do: &get(name, &1)

  @doc "Converts what is there, and leaves `nil` and `false` alone."
  @spec optional((term() -> term())) :: (term() -> term())
  def optional(convert), do: fn value -> if value, do: convert.(value), else: value end

  defp fill(decoded, json, fields) do
    Enum.reduce(fields, decoded, fn {name, rule}, decoded ->
      case value(json, rule) do
        nil -> decoded
        value -> %{decoded | name => value}
      end
    end)
  end

  defp value(json, {path, convert}) when is_function(convert, 1), do: convert.(value(json, path))
  defp value(json, path) when is_list(path), do: Enum.reduce(path, json, &get/2)
  defp value(json, name), do: get(name, json)

  defp get(name, json) when is_map(json), do: Map.get(json, name)
  defp get(_name, _other), do: nil
end
