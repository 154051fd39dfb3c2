defmodule HfHub.Safetensors.Handle do
  @moduledoc """
  A safetensors model that `HfHub.Safetensors.open/2` has opened: the headers of its files, and the files.
  """

  alias HfHub.Brief
  alias HfHub.Safetensors.Tensor

  use HfHub.Schema,
    tensors: {{:map, Tensor}, "tensors by name"},
    metadata:
      {:any,
       "`__metadata__` of a single file, such as `%{\"format\" => \"pt\"}`; of a model of several files, the metadata of its index"},
    weight_map: {{:map, :string}, "file names by tensor name"},
    parameter_count: {{:map, :integer}, "number of parameters of each data type"},
    files: {{:map, :any}, "open files by name; for internal use", json: false}

  defimpl Inspect do
    def inspect(handle, _opts) do
      counts = for {dtype, count} <- handle.parameter_count, do: {count, dtype}

      Brief.line(handle, [{map_size(handle.tensors), "tensors"}, {map_size(handle.files), "files"} | counts])
    end
  end
end
