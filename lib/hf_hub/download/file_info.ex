defmodule HfHub.Download.FileInfo do
  @moduledoc """
  What a dry run tells of a file.

  Python: `DryRunFileInfo`.

    * `:filename` - as named in the repository
    * `:local_path` - where it is, or would be
    * `:commit_hash` - the commit it belongs to
    * `:file_size` - bytes, or `nil` where the Hub does not tell
    * `:cached?` - whether it is here already
    * `:will_download?` - whether a call would download it
  """

  @type t :: %__MODULE__{
          filename: String.t(),
          local_path: Path.t(),
          commit_hash: String.t() | nil,
          file_size: non_neg_integer() | nil,
          cached?: boolean(),
          will_download?: boolean()
        }

  defstruct [:filename, :local_path, :commit_hash, :file_size, cached?: false, will_download?: false]

  @doc false
  def from_native(file) do
    %__MODULE__{
      filename: file.filename,
      local_path: file.path,
      commit_hash: file.commit,
      file_size: file.size,
      cached?: file.cached,
      will_download?: file.will_download
    }
  end
end
