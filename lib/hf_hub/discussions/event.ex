defmodule HfHub.Discussions.Event do
  @moduledoc """
  An event of a discussion whose type this library does not know; `:raw` has its data. Python: `DiscussionEvent`.

  The others are `HfHub.Discussions.Comment`, `HfHub.Discussions.StatusChange`, `HfHub.Discussions.TitleChange` and
  `HfHub.Discussions.Commit`. The author of an event whose user was removed is `"deleted"`.
  """

  alias HfHub.Discussions.{Comment, Commit, StatusChange, TitleChange}

  use HfHub.Schema,
    id: {"id", :name, "id of the event, 24 hex digits"},
    type: {"type", :string, "type of the event"},
    author: {["author", "name"], :string, "user that caused it", default: "deleted"},
    created_at: {"createdAt", :datetime, "time of the event"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  @typedoc "An event of any type."
  @type any_type :: Comment.t() | StatusChange.t() | TitleChange.t() | Commit.t() | t()

  HfHub.Schema.from_response("""
      iex> HfHub.Discussions.Event.from_response(%{"id" => "65f0", "type" => "locking-change"}).author
      "deleted"
  """)
end
