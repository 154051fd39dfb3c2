defmodule HfHub.Discussions.StatusChange do
  @moduledoc """
  A change of the status of a discussion or pull request. Python: `DiscussionStatusChange`.
  """

  use HfHub.Schema,
    id: {"id", :name, "id of the event, 24 hex digits"},
    type: {"type", :string, "type of the event, `\"status-change\"`"},
    author:
      {["author", "name"], :string, "user that changed it; `\"deleted\"` if removed", default: "deleted"},
    status:
      {["data", "status"], {:enum, [:open, :closed, :merged, :draft]}, "new status; Python's `new_status`"},
    comment:
      {["data", "reason"], :string,
       "reason for the change. A comment that came with it is an event of its own"},
    created_at: {"createdAt", :datetime, "time of the change"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> change = %{"id" => "65f0", "type" => "status-change", "data" => %{"status" => "merged"}}
      iex> HfHub.Discussions.StatusChange.from_response(change).status
      :merged
  """)
end
