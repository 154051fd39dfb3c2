defmodule HfHub.Cache.Archive do
  @moduledoc """
  What `HfHub.Cache.export/2` has written or `HfHub.Cache.import/2` has read.
  """

  use HfHub.Schema,
    path: {:path, "path of the archive, or of the cache it was imported to"},
    repos: {[:string], "repositories, such as `\"model/org/name\"`", default: []},
    revisions: {:integer, "number of revisions", default: 0},
    files: {:integer, "number of files; a content that several files show counts once", default: 0},
    bytes: {:integer, "size in bytes of all contents", default: 0}
end
