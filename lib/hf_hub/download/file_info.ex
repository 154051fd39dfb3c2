defmodule HfHub.Download.FileInfo do
  @moduledoc """
  What a dry run tells of a file.

  Python: `DryRunFileInfo`.
  """

  use HfHub.Schema,
    filename: {:string, "name in the repository"},
    local_path: {:path, :path, "path of the file once it is downloaded"},
    commit_hash: {:commit, {:or, [:string, nil]}, "commit that the file belongs to"},
    file_size: {:size, {:or, [:integer, nil]}, "size in bytes, or `nil` if the Hub does not tell"},
    cached?: {:cached, :boolean, "whether the file is on disk already", default: false},
    will_download?: {:will_download, :boolean, "whether a call would download the file", default: false}
end
