defmodule HfHub.DatasetFiles.DatasetParquetEntry do
  @moduledoc """
  A Parquet file of a dataset. Python: `DatasetParquetEntry`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    config: {"config", :string, "configuration that the file belongs to"},
    split: {"split", :string, "split that the file belongs to"},
    url: {"url", :string, "URL of the file"},
    filename: {"filename", :string, "name of the file"},
    size: {"size", :integer, "size in bytes"}

  defimpl Inspect do
    def inspect(entry, _opts),
      do: Brief.line(entry, [entry.config, entry.split, entry.filename, entry.size && Brief.size(entry.size)])
  end
end
