defmodule HfHub.Lock.PinnedFile do
  @moduledoc """
  A file of a repository, pinned by the hash of its content: part of a `HfHub.Lock.Entry`.
  """

  use HfHub.Schema,
    path: {:string, "path in the repository"},
    algorithm:
      {{:or, [:sha256, :git_sha1, :git_sha256]},
       "kind of the hash: `:sha256` of the content for a large file, else the git object id, which is `:git_sha1`, or " <>
         "`:git_sha256` in a repository with that object format"},
    hash: {:string, "hash in lower-case hex"},
    size: {:integer, "size in bytes"}
end
