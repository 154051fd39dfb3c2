defmodule HfHub.Cache.Folder do
  @moduledoc """
  What `HfHub.Cache.materialize/3` has made.
  """

  use HfHub.Schema,
    path: {:path, "path of the folder"},
    files: {:integer, "number of files", default: 0},
    bytes: {:integer, "size in bytes of all files", default: 0},
    hard_linked: {:integer, "number of files made as hard links", default: 0},
    reflinked: {:integer, "number of files that share their blocks with the cache", default: 0},
    copied: {:integer, "number of copied files", default: 0}
end
