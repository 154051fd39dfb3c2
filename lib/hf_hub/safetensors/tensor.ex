defmodule HfHub.Safetensors.Tensor do
  @moduledoc """
  A tensor of a safetensors file, without its values. Python: `TensorInfo`.

    * `:dtype` - the data type, such as `"F32"`
    * `:shape` - the dimensions; `[]` of a scalar
    * `:data_offsets` - where it begins and ends, counted from the end of the header
    * `:parameter_count` - the product of the dimensions
  """

  @type t :: %__MODULE__{
          dtype: String.t(),
          shape: [non_neg_integer()],
          data_offsets: {non_neg_integer(), non_neg_integer()},
          parameter_count: non_neg_integer()
        }

  defstruct [:dtype, :shape, :data_offsets, :parameter_count]

  @doc false
  def from_native(%{data_offsets: [first, last]} = fields),
    do: struct!(__MODULE__, %{fields | data_offsets: {first, last}})
end
