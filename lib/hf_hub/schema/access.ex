defmodule HfHub.Schema.Access do
  # The callbacks of `Access` for structs: `info[:id]`, `get_in/2`, `put_in/2` and `update_in/2`.
  @moduledoc false

  @doc "Returns the value of a field."
  @spec fetch(struct(), term()) :: {:ok, term()} | :error
  def fetch(struct, field), do: Map.fetch(struct, field)

  @doc "Returns a value computed from a field, and the struct with the field changed."
  @spec get_and_update(struct(), term(), (term() -> {term(), term()} | :pop)) :: {term(), struct()}
  def get_and_update(struct, field, fun) do
    value = Map.fetch!(struct, field)

    case fun.(value) do
      {found, changed} -> {found, Map.replace!(struct, field, changed)}
      :pop -> pop(struct, field)
    end
  end

  @doc "Returns the value of a field, and the struct with the default in its place."
  @spec pop(struct(), term()) :: {term(), struct()}
  def pop(%module{} = struct, field),
    do: {Map.fetch!(struct, field), Map.replace!(struct, field, Map.fetch!(module.__struct__(), field))}
end
