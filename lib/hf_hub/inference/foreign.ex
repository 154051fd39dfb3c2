defmodule HfHub.Inference.Foreign do
  # Other libraries, which are no dependencies of this one and are looked up when they are needed.
  @moduledoc false

  @doc "Calls a function of a package, or raises `ArgumentError` if the package is not there."
  @spec call(module(), atom(), [term()], String.t()) :: term()
  def call(module, name, args, package) do
    if Code.ensure_loaded?(module),
      do: apply(module, name, args),
      else:
        raise(
          ArgumentError,
          "requires #{inspect(module)}; add {:#{package}, \">= 0.0.0\"} to the dependencies"
        )
  end
end
