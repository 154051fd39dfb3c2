defmodule HfHub.Schema.Json do
  # Lets Jason and the JSON module of Elixir 1.18 encode structs.
  #
  # `defimpl` requires its protocol when it is compiled. Mix compiles a package only with the packages that it declares,
  # and this one declares none, so Jason is never there. The implementations are therefore written as the modules that
  # `defimpl` makes: the protocol finds them by their names, and its consolidation in the user's project by the attribute.
  @moduledoc false

  @protocols [Jason.Encoder | if(Code.ensure_loaded?(JSON.Encoder), do: [JSON.Encoder], else: [])]

  @doc "Returns the names of the fields that are encoded: all but secrets, handles and the raw response."
  @spec names([HfHub.Schema.field()]) :: [atom()]
  def names(fields),
    do: for({name, _from, _type, _doc, opts} <- fields, name != :raw, opts[:json] != false, do: name)

  @doc "Defines the implementations of a struct with these fields."
  @spec implement(module(), [atom()], Macro.Env.t()) :: :ok
  def implement(struct, fields, env) do
    for protocol <- @protocols do
      module = Module.concat(protocol, struct)
      Module.create(module, implementation(protocol, struct, fields), Macro.Env.location(env))
    end

    :ok
  end

  defp implementation(protocol, struct, fields) do
    quote do
      @moduledoc false

      Module.register_attribute(__MODULE__, :__impl__, persist: true)
      @__impl__ [protocol: unquote(protocol), for: unquote(struct)]

      @doc false
      def __impl__(:for), do: unquote(struct)
      def __impl__(:protocol), do: unquote(protocol)
      def __impl__(:target), do: __MODULE__

      @doc false
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
