defmodule HfHub.Schema.Access do
  # The callbacks of `Access` for structs: `info[:id]`, `get_in/2`, `put_in/2` and `update_in/2`. A text is a name in the
  # Hub's JSON, `lfs["oid"]`, as in the maps of hf_hub 0.3.
  @moduledoc false

  @doc "Returns the value of a field."
  @spec fetch(struct(), term()) :: {:ok, term()} | :error
  def fetch(struct, key), do: Map.fetch(struct, field(struct, key))

  @doc "Returns a value computed from a field, and the struct with the field changed."
  @spec get_and_update(struct(), term(), (term() -> {term(), term()} | :pop)) :: {term(), struct()}
  def get_and_update(struct, key, fun) do
    field = field(struct, key)
    value = Map.fetch!(struct, field)

    case fun.(value) do
      {found, changed} -> {found, Map.replace!(struct, field, changed)}
      :pop -> pop(struct, field)
    end
  end

  @doc "Returns the value of a field, and the struct with the default in its place."
  @spec pop(struct(), term()) :: {term(), struct()}
  def pop(%module{} = struct, key) do
    field = field(struct, key)
    {Map.fetch!(struct, field), Map.replace!(struct, field, Map.fetch!(module.__struct__(), field))}
  end

  defp field(%module{}, key) when is_binary(key) do
    Enum.find_value(module.__fields__(), key, fn {name, from, _type, _doc, _opts} ->
      if named?(from, key), do: name
    end)
  end

  defp field(_struct, key), do: key

  defp named?({:or, froms}, key), do: key in froms
  defp named?(from, key), do: from == key
end
