defmodule HfHub.Safetensors.Tensor do
  @moduledoc """
  A tensor of a safetensors file, without its values. Python: `TensorInfo`.
  """

  use HfHub.Schema,
    dtype: {:string, "data type, such as `\"F32\"`"},
    shape: {[:integer], "dimensions; `[]` for a scalar"},
    data_offsets:
      {:data_offsets, {:tuple, [:integer, :integer]},
       "start and end in bytes, relative to the end of the header", by: :offsets},
    parameter_count: {:integer, "number of parameters: the product of the dimensions"}

  defp offsets([first, last]), do: {first, last}
end
