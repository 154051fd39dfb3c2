defmodule HfHub.Safetensors.LazyTensor do
  @moduledoc """
  A tensor of an open model that is read when Nx needs its values; see `HfHub.Safetensors.lazy_tensors/1`.

  It is a lazy container of Nx (`Nx.LazyContainer`): `Nx.to_tensor/1` reads it, and so do functions of `Nx.Defn`.
  """

  use HfHub.Schema,
    model: {:any, "open model, a `HfHub.Safetensors.Handle`", json: false},
    name: {:string, "name of the tensor in the model"}

  defimpl Inspect do
    def inspect(lazy, _opts) do
      tensor = lazy.model.tensors[lazy.name]
      HfHub.Brief.line(lazy, [lazy.name, tensor.dtype, inspect(tensor.shape)])
    end
  end
end

HfHub.Schema.Impl.define(
  Nx.LazyContainer,
  HfHub.Safetensors.LazyTensor,
  quote do
    def traverse(lazy, acc, fun), do: HfHub.Safetensors.AsNx.traverse(lazy, acc, fun)
  end,
  __ENV__.file
)
