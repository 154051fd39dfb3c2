defmodule HfHub.Schema.Impl do
  # Implements protocols of packages that may not be there.
  #
  # `defimpl` requires its protocol when it is compiled. Mix compiles a package only with the packages that it declares,
  # and this one declares none, so they are never there. The implementations are therefore written as the modules that
  # `defimpl` makes: the protocol finds them by their names, and its consolidation in the user's project by the attribute.
  @moduledoc false

  @doc """
  Defines the implementation of a protocol for a struct, with these quoted functions.

  `file` is the source file of the caller. A whole `__ENV__` would be much code in each module.
  """
  @spec define(module(), module(), Macro.t(), Path.t()) :: :ok
  def define(protocol, struct, functions, file) do
    implementation =
      quote do
        @moduledoc false
        # No code calls it while the library is compiled, so it is not loaded then.
        @compile {:autoload, false}

        Module.register_attribute(__MODULE__, :__impl__, persist: true)
        @__impl__ [protocol: unquote(protocol), for: unquote(struct)]

        @doc false
        def __impl__(:for), do: unquote(struct)
        def __impl__(:protocol), do: unquote(protocol)
        def __impl__(:target), do: __MODULE__

        @doc false
        unquote(functions)
      end

    Module.create(Module.concat(protocol, struct), implementation, file: file)
    :ok
  end
end
