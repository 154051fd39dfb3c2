# The functions of Nx that this library calls, with their documented contracts: a tensor keeps its binary, type and shape.
# `Nx.Type.normalize!/1` knows the types of Nx 0.12, and of an older version if the process has `:old_nx`.
defmodule Nx.Tensor do
  defstruct [:data, :type, :shape]
end

defprotocol Nx.LazyContainer do
  @fallback_to_any true
  def traverse(data, acc, fun)
end

defimpl Nx.LazyContainer, for: Any do
  def traverse(_data, _acc, _fun), do: raise("not a container")
end

defmodule Nx.Type do
  @types for(
           {kind, sizes} <- [s: [8, 16, 32, 64], u: [8, 16, 32, 64], f: [16, 32, 64], bf: [16], c: [64, 128]],
           size <- sizes,
           do: {kind, size}
         )
  @new [{:f, 8}, {:f8_e4m3fn, 8}]

  def normalize!(type) do
    known = if Process.get(:old_nx), do: @types, else: @types ++ @new
    if type in known, do: type, else: raise(ArgumentError, "invalid numerical type: #{inspect(type)}")
  end
end

defmodule Nx do
  def from_binary(binary, type) when is_binary(binary) do
    {_kind, size} = type = Nx.Type.normalize!(type)
    if binary == "", do: raise(ArgumentError, "cannot build an empty Nx.Tensor")
    if rem(bit_size(binary), size) != 0, do: raise(ArgumentError, "binary does not match the given size")
    %Nx.Tensor{data: binary, type: type, shape: {div(bit_size(binary), size)}}
  end

  def tensor([_ | _] = list, opts) do
    {:f, 32} = opts[:type]
    data = for number <- List.flatten(list), into: "", do: <<number::float-native-32>>
    from_binary(data, {:f, 32})
  end

  def reshape(tensor, shape, names: names) do
    if length(names) != tuple_size(shape), do: raise(ArgumentError, "invalid names")
    reshape(tensor, shape)
  end

  def reshape(tensor, shape) when is_tuple(shape) do
    if Tuple.product(shape) != Tuple.product(tensor.shape), do: raise(ArgumentError, "cannot reshape")
    %{tensor | shape: shape}
  end

  # A tensor without values.
  def template(shape, type) when is_tuple(shape),
    do: %Nx.Tensor{data: :template, type: Nx.Type.normalize!(type), shape: shape}

  def to_tensor(%Nx.Tensor{} = tensor), do: tensor

  def to_tensor(container) do
    {tensor, :ok} =
      Nx.LazyContainer.traverse(container, :none, fn template, read, :none ->
        tensor = read.()
        if {template.type, template.shape} != {tensor.type, tensor.shape}, do: raise("not as its template")
        {tensor, :ok}
      end)

    tensor
  end

  def type(tensor), do: tensor.type
  def shape(tensor), do: tensor.shape
  def to_binary(tensor), do: tensor.data
end
