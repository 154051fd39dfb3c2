defmodule HfHub.Safetensors.Metadata do
  @moduledoc """
  What the safetensors files of a model say. Python: `SafetensorsRepoMetadata`.

    * `:sharded` - whether there are several files and an index
    * `:metadata` - that of the index; `nil` where there is none
    * `:weight_map` - which file has which tensor
    * `:files_metadata` - `HfHub.Safetensors.FileMetadata`s by the names of the files
    * `:parameter_count` - how many parameters there are of each data type
  """

  alias HfHub.Brief
  alias HfHub.Safetensors.FileMetadata

  @type t :: %__MODULE__{
          sharded: boolean(),
          metadata: map() | nil,
          weight_map: %{String.t() => String.t()},
          files_metadata: %{String.t() => FileMetadata.t()},
          parameter_count: %{String.t() => non_neg_integer()}
        }

  defstruct [:sharded, :metadata, :weight_map, :files_metadata, :parameter_count]

  @doc false
  def from_native(fields) do
    {files, fields} = Map.pop!(fields, :files)
    files = Map.new(files, fn {name, file} -> {name, FileMetadata.from_native(file)} end)
    struct!(__MODULE__, Map.put(fields, :files_metadata, files))
  end

  defimpl Inspect do
    def inspect(metadata, _opts) do
      counts = for {dtype, count} <- metadata.parameter_count, do: {count, dtype}
      Brief.line(metadata, [{map_size(metadata.files_metadata), "files"} | counts])
    end
  end
end
