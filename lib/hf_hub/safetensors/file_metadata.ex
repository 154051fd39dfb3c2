defmodule HfHub.Safetensors.FileMetadata do
  @moduledoc """
  What the header of a safetensors file says. Python: `SafetensorsFileMetadata`.

    * `:metadata` - the file's `__metadata__`, such as `%{"format" => "pt"}`. By the format a map of strings;
      other JSON that a writer left there is returned as it is.
    * `:tensors` - `HfHub.Safetensors.Tensor`s by name
    * `:parameter_count` - how many parameters there are of each data type
  """

  alias HfHub.Brief
  alias HfHub.Safetensors.Tensor

  @type t :: %__MODULE__{
          metadata: %{String.t() => term()} | term(),
          tensors: %{String.t() => Tensor.t()},
          parameter_count: %{String.t() => non_neg_integer()}
        }

  defstruct [:metadata, :tensors, :parameter_count]

  @doc false
  def from_native(fields) do
    tensors = Map.new(fields.tensors, fn {name, tensor} -> {name, Tensor.from_native(tensor)} end)
    struct!(__MODULE__, %{fields | tensors: tensors})
  end

  defimpl Inspect do
    def inspect(file, _opts) do
      counts = for {dtype, count} <- file.parameter_count, do: {count, dtype}
      Brief.line(file, [{map_size(file.tensors), "tensors"} | counts])
    end
  end
end
