defmodule HfHub.Cache.Archive do
  @moduledoc """
  What `HfHub.Cache.export/2` has written or `HfHub.Cache.import/2` has read.

    * `:path` - the archive, or the cache it was imported to
    * `:repos` - `"model/org/name"` and so on
    * `:revisions`, `:files` - how many; a content that several files show counts once
    * `:bytes` - of all contents
  """

  @type t :: %__MODULE__{
          path: Path.t(),
          repos: [String.t()],
          revisions: non_neg_integer(),
          files: non_neg_integer(),
          bytes: non_neg_integer()
        }

  defstruct [:path, repos: [], revisions: 0, files: 0, bytes: 0]
end
