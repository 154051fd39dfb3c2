defmodule HfHub.Cache.Folder do
  @moduledoc """
  The result of `HfHub.Cache.materialize/3`.
  """

  use HfHub.Schema,
    path: {:path, "path of the folder"},
    files: {:integer, "number of files", default: 0},
    bytes: {:integer, "total size of the files, in bytes", default: 0},
    hard_linked: {:integer, "number of files that are hard links", default: 0},
    reflinked: {:integer, "number of files that share disk blocks with the cache", default: 0},
    copied: {:integer, "number of copied files", default: 0}
end
