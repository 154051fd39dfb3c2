defmodule HfHub.Discussions.Comment do
  @moduledoc """
  A comment in a discussion or pull request. Python: `DiscussionComment`.

  The content of a hidden comment cannot be retrieved any more: `:content` is a notice by the Hub.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    id: {"id", :name, "id of the comment, 24 hex digits"},
    type: {"type", :string, "type of the event, `\"comment\"`"},
    author: {["author", "name"], :string, "user that wrote it; `\"deleted\"` if removed", default: "deleted"},
    content: {["data", "latest", "raw"], :string, "content as Markdown"},
    rendered: {["data", "latest", "html"], :string, "content as HTML"},
    hidden: {["data", "hidden"], :boolean, "whether the comment is hidden", default: false},
    hidden_by: {["data", "hiddenBy"], :string, "user that has hidden it"},
    hidden_reason: {["data", "hiddenReason"], :string, "reason for hiding it"},
    edited: {["data", "edited"], :boolean, "whether the comment was edited", default: false},
    edit_history: {["data", "history"], [:map], "earlier versions, as in the response", default: []},
    created_at: {"createdAt", :datetime, "time of the comment"},
    updated_at:
      {["data", "latest", "updatedAt"], :datetime, "time of the last edit; Python's `last_edited_at`"},
    last_edited_by:
      {["data", "latest", "author", "name"], :string, "user that edited it last", default: "deleted"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> data = %{"latest" => %{"raw" => "Hello"}, "hidden" => false, "edited" => true}
      iex> HfHub.Discussions.Comment.from_response(%{
      ...>   "id" => "65f0",
      ...>   "type" => "comment",
      ...>   "data" => data
      ...> }).content
      "Hello"
  """)

  defimpl Inspect do
    def inspect(comment, _opts), do: Brief.line(comment, [comment.id, comment.author, comment.content])
  end
end
