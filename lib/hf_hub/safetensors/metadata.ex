defmodule HfHub.Safetensors.Metadata do
  @moduledoc """
  The headers of a model's safetensors files. Python: `SafetensorsRepoMetadata`.
  """

  alias HfHub.Brief
  alias HfHub.Safetensors.FileMetadata

  use HfHub.Schema,
    sharded: {:boolean, "whether the model consists of several files with an index"},
    metadata: {{:or, [:map, nil]}, "metadata of the index"},
    weight_map: {{:map, :string}, "file names by tensor name"},
    files_metadata: {:files, {:map, FileMetadata}, "headers of the files by file name"},
    parameter_count: {{:map, :integer}, "number of parameters of each data type"}

  defimpl Inspect do
    def inspect(metadata, _opts) do
      counts = for {dtype, count} <- metadata.parameter_count, do: {count, dtype}
      Brief.line(metadata, [{map_size(metadata.files_metadata), "files"} | counts])
    end
  end
end
