defmodule HfHub.Safetensors.Metadata do
  @moduledoc """
  What the safetensors files of a model say. Python: `SafetensorsRepoMetadata`.
  """

  alias HfHub.Brief
  alias HfHub.Safetensors.FileMetadata

  use HfHub.Schema,
    sharded: {:boolean, "whether there are several files and an index"},
    metadata: {{:or, [:map, nil]}, "metadata of the index"},
    weight_map: {{:map, :string}, "name of each tensor's file, by the name of the tensor"},
    files_metadata: {:files, {:map, FileMetadata}, "what the files say, by name of the file"},
    parameter_count: {{:map, :integer}, "number of parameters of each data type"}

  defimpl Inspect do
    def inspect(metadata, _opts) do
      counts = for {dtype, count} <- metadata.parameter_count, do: {count, dtype}
      Brief.line(metadata, [{map_size(metadata.files_metadata), "files"} | counts])
    end
  end
end
