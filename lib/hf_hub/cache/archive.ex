defmodule HfHub.Cache.Archive do
  @moduledoc """
  The result of `HfHub.Cache.export/2` and `HfHub.Cache.import/2`.
  """

  use HfHub.Schema,
    path: {:path, "path of the archive, or of the cache it was imported to"},
    repos: {[:string], "repositories, such as `\"model/org/name\"`", default: []},
    revisions: {:integer, "number of revisions", default: 0},
    files: {:integer, "number of blobs; a blob that several files link to counts once", default: 0},
    bytes: {:integer, "total size of the blobs, in bytes", default: 0}
end
