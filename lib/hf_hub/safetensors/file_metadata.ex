defmodule HfHub.Safetensors.FileMetadata do
  @moduledoc """
  The header of a safetensors file. Python: `SafetensorsFileMetadata`.
  """

  alias HfHub.Brief
  alias HfHub.Safetensors.Tensor

  use HfHub.Schema,
    metadata:
      {:any,
       "`__metadata__` of the file, such as `%{\"format\" => \"pt\"}`. The format requires a map of strings; any other JSON " <>
         "is returned unchanged"},
    tensors: {{:map, Tensor}, "tensors by name"},
    parameter_count: {{:map, :integer}, "number of parameters of each data type"}

  defimpl Inspect do
    def inspect(file, _opts) do
      counts = for {dtype, count} <- file.parameter_count, do: {count, dtype}
      Brief.line(file, [{map_size(file.tensors), "tensors"} | counts])
    end
  end
end
