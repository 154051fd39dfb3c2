defmodule HfHub.Schema.Json do
  # Lets Jason and the JSON module of Elixir 1.18 encode structs.
  @moduledoc false

  @protocols [Jason.Encoder | if(Code.ensure_loaded?(JSON.Encoder), do: [JSON.Encoder], else: [])]

  @doc "Returns the names of the fields that are encoded: all but secrets, handles and the raw response."
  @spec names([HfHub.Schema.field()]) :: [atom()]
  def names(fields),
    do: for({name, _from, _type, _doc, opts} <- fields, name != :raw, opts[:json] != false, do: name)

  @doc "Defines the implementations of a struct with these fields."
  @spec implement(module(), [atom()], Path.t()) :: :ok
  def implement(struct, fields, file) do
    for protocol <- @protocols do
      HfHub.Schema.Impl.define(protocol, struct, encoder(protocol, fields), file)
    end

    :ok
  end

  defp encoder(protocol, fields) do
    quote do
      def encode(struct, encoder),
        do: HfHub.Schema.Json.encode(struct, unquote(fields), unquote(protocol), encoder)
    end
  end

  @doc "Encodes fields of a struct as an object."
  @spec encode(struct(), [atom()], module(), term()) :: iodata()
  def encode(struct, fields, protocol, encoder), do: protocol.encode(plain(Map.take(struct, fields)), encoder)

  # JSON has no tuples. Structs have implementations of their own.
  defp plain(%_module{} = struct), do: struct
  defp plain(%{} = map), do: Map.new(map, fn {name, value} -> {name, plain(value)} end)
  defp plain(list) when is_list(list), do: Enum.map(list, &plain/1)
  defp plain(tuple) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> plain()
  defp plain(value), do: value
end
