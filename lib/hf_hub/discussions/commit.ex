defmodule HfHub.Discussions.Commit do
  @moduledoc """
  A commit that was added to a pull request. Python: `DiscussionCommit`.
  """

  use HfHub.Schema,
    id: {"id", :name, "id of the event, 24 hex digits"},
    type: {"type", :string, "type of the event, `\"commit\"`"},
    author:
      {["author", "name"], :string, "user that committed; `\"deleted\"` if removed", default: "deleted"},
    summary: {["data", "subject"], :string, "first line of the commit's message"},
    oid: {["data", "oid"], :string, "id of the commit"},
    created_at: {"createdAt", :datetime, "time of the event"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> commit = %{
      ...>   "id" => "65f0",
      ...>   "type" => "commit",
      ...>   "data" => %{"subject" => "Fix", "oid" => "c0ffee"}
      ...> }
      iex> HfHub.Discussions.Commit.from_response(commit).oid
      "c0ffee"
  """)
end
