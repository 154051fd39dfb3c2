defmodule HfHub.Discussions.TitleChange do
  @moduledoc """
  A change of the title of a discussion or pull request. Python: `DiscussionTitleChange`.
  """

  use HfHub.Schema,
    id: {"id", :name, "id of the event, 24 hex digits"},
    type: {"type", :string, "type of the event, `\"title-change\"`"},
    author:
      {["author", "name"], :string, "user that changed it; `\"deleted\"` if removed", default: "deleted"},
    old_title: {["data", "from"], :string, "title before the change"},
    new_title: {["data", "to"], :string, "title after the change"},
    created_at: {"createdAt", :datetime, "time of the change"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> change = %{
      ...>   "id" => "65f0",
      ...>   "type" => "title-change",
      ...>   "data" => %{"from" => "Old", "to" => "New"}
      ...> }
      iex> HfHub.Discussions.TitleChange.from_response(change).new_title
      "New"
  """)
end
