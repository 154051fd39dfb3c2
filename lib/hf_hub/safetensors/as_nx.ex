defmodule HfHub.Safetensors.AsNx do
  # Tensors of Nx, where it is loaded: this library does not depend on it.
  @moduledoc false

  alias HfHub.Safetensors.{Dtype, LazyTensor, Tensor}

  @nx Nx
  @nx_tensor Nx.Tensor
  @nx_type Nx.Type

  @doc "Raises unless Nx is loaded."
  @spec check!() :: :ok
  def check! do
    if loaded?(),
      do: :ok,
      else:
        raise(ArgumentError, "Nx is not loaded; add {:nx, \">= 0.9.0\"} to the dependencies of the project")
  end

  @doc "Returns the tensor of a binary. Values that Nx has no type for are returned as their bytes."
  @spec tensor(binary(), Tensor.t()) :: struct()
  def tensor(bytes, tensor) do
    {type, shape} = type_and_shape(tensor, byte_size(bytes))
    apply(@nx, :reshape, [apply(@nx, :from_binary, [bytes, type]), shape])
  end

  @doc "Calls the function with the template of a lazy tensor, and a function that reads it."
  @spec traverse(LazyTensor.t(), acc, (struct(), (() -> struct()), acc -> result)) :: result
        when acc: term(), result: term()
  def traverse(%LazyTensor{model: model, name: name}, acc, fun) do
    %{data_offsets: {first, last}} = tensor = model.tensors[name]
    {type, shape} = type_and_shape(tensor, last - first)
    template = apply(@nx, :template, [shape, type])
    fun.(template, fn -> HfHub.Safetensors.nx_tensor!(model, name) end, acc)
  end

  @doc "Returns whether a value is a tensor of Nx."
  @spec tensor?(term()) :: boolean()
  def tensor?(value), do: is_struct(value, @nx_tensor) and loaded?()

  @doc """
  Returns the type, shape and values of a tensor of Nx; the values are fetched by the function. A type of Nx that the format
  lacks is an error.
  """
  @spec fields(struct()) :: {:ok, {String.t(), [non_neg_integer()], (() -> binary())}} | {:error, term()}
  def fields(tensor) do
    type = apply(@nx, :type, [tensor])

    case Dtype.from_nx(type) do
      nil ->
        {:error, type}

      dtype ->
        {:ok,
         {dtype, Tuple.to_list(apply(@nx, :shape, [tensor])), fn -> apply(@nx, :to_binary, [tensor]) end}}
    end
  end

  defp type_and_shape(tensor, size) do
    type = type(tensor.dtype)
    {type || {:u, 8}, List.to_tuple(shape(tensor, type, size))}
  end

  defp loaded?, do: Code.ensure_loaded?(@nx) and function_exported?(@nx, :from_binary, 2)

  # Older versions lack the types of 8 bits.
  defp type(dtype) do
    with {kind, 8} = type when kind not in [:u, :s] <- Dtype.nx(dtype) do
      try do
        apply(@nx_type, :normalize!, [type])
      rescue
        _unknown in [ArgumentError, FunctionClauseError] -> nil
      end
    end
  end

  defp shape(%{shape: shape}, type, _size) when type != nil, do: shape

  # Bytes have the shape of the values if each row of them ends at a byte.
  defp shape(%{dtype: dtype, shape: shape}, nil, size) do
    bits = Dtype.bits(dtype)
    {outer, inner} = Enum.split(shape, -1)

    case inner do
      [count] when bits != nil and rem(count * bits, 8) == 0 -> outer ++ [div(count * bits, 8)]
      [] when bits == 8 -> []
      _other -> [size]
    end
  end
end
