defmodule HfHub.LFS.FileInfo do
  @moduledoc """
  A large file that was uploaded to a repository. Python: `LFSFileInfo`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    file_oid:
      {"fileOid", :name,
       "SHA-256 of the content in hex, which `HfHub.LFS.permanently_delete_files/3` expects"},
    oid: {"oid", :string, "id of the object in LFS"},
    filename:
      {"filename", :string, "one of the paths the content was committed at; `\"\"` or `nil` if it is unknown"},
    ref: {"ref", :string, "full name of the ref it was pushed to, where known"},
    size: {"size", :integer, "size in bytes"},
    pushed_at: {"pushedAt", :datetime, "time when it was pushed"},
    pusher: {["pusher", "name"], :string, "account that pushed it, where known"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> response = %{"fileOid" => "2cf24dba", "filename" => "a.bin", "size" => 5}
      iex> HfHub.LFS.FileInfo.from_response(response).size
      5
  """)

  defimpl Inspect do
    def inspect(info, _opts), do: Brief.line(info, [info.filename, Brief.size(info.size || 0), info.ref])
  end
end
