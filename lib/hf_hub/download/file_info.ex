defmodule HfHub.Download.FileInfo do
  @moduledoc """
  The result of a dry run for one file. Python: `DryRunFileInfo`.
  """

  use HfHub.Schema,
    filename: {:string, "path in the repository"},
    local_path: {:path, :path, "path on disk, whether or not the file exists"},
    commit_hash: {:commit, {:or, [:string, nil]}, "commit that the file belongs to"},
    file_size: {:size, {:or, [:integer, nil]}, "size in bytes, or `nil` if the Hub does not report it"},
    cached?: {:cached, :boolean, "whether the file is already cached", default: false},
    will_download?: {:will_download, :boolean, "whether the call would download it", default: false}
end
