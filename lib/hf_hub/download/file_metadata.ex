defmodule HfHub.Download.FileMetadata do
  @moduledoc """
  Metadata of a file on the Hub. Python: `HfFileMetadata`.
  """

  use HfHub.Schema,
    commit_hash: {"x-repo-commit", :string, "commit that the revision stands for"},
    etag: {"etag", :string, "SHA-256 of a large file, id of the git blob of any other"},
    size: {"size", :integer, "size in bytes"},
    location: {"location", :string, "URL of the content, often signed, if it is on another host"},
    xet_hash: {"x-xet-hash", :string, "Xet hash of the content, if it is in Xet storage"},
    refresh_url: {"refresh-url", :string, "URL of the token that reads it from there"}
end
