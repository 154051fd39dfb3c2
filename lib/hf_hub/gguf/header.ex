defmodule HfHub.GGUF.Header do
  @moduledoc """
  The header of a GGUF file.
  """

  alias HfHub.Brief
  alias HfHub.GGUF.Tensor

  use HfHub.Schema,
    version: {:integer, "version of the format"},
    big_endian?:
      {:boolean, "whether the numbers of the file are big-endian, also those of its tensors", default: false},
    metadata:
      {:map,
       "metadata by key, such as `\"general.architecture\"`: numbers, booleans, strings and lists of these. Floats that " <>
         "are not numbers are `:nan`, `:infinity` and `:neg_infinity`"},
    tensors: {[Tensor], "tensors in the order of the file"},
    alignment: {:integer, "number of bytes that offsets of tensors are multiples of"},
    data_offset: {:integer, "position of the data in the file"},
    parameter_count: {{:map, :integer}, "number of parameters of each type"}

  defimpl Inspect do
    def inspect(header, _opts) do
      counts = for {type, count} <- header.parameter_count, do: {count, type}

      Brief.line(header, [
        header.metadata["general.architecture"],
        {length(header.tensors), "tensors"} | counts
      ])
    end
  end
end

defmodule HfHub.GGUF.Tensor do
  @moduledoc """
  A tensor of a GGUF file, without its values.
  """

  use HfHub.Schema,
    name: {:string, "name"},
    type:
      {:string,
       "type of the values, such as `\"F32\"` or `\"Q4_K\"`; a type that this library does not know is its number as a string"},
    shape:
      {[:integer], "dimensions in the order of the file, which is that of ggml: the innermost one first"},
    offset: {:integer, "position of the values, relative to the data of the file"},
    size: {{:or, [:integer, nil]}, "number of bytes of the values; `nil` if the type is unknown"},
    parameter_count: {:integer, "number of parameters: the product of the dimensions"}
end
