defmodule HfHub.Git.CommitInfo do
  @moduledoc """
  A commit of a repository's history. Python: `GitCommitInfo`.
  """

  alias HfHub.Git.Author

  use HfHub.Schema,
    id: {"id", :name, "id of the commit; Python's `commit_id`"},
    title: {"title", :string, "first line of the message"},
    message: {"message", :string, "message without its first line"},
    authors: {"authors", [Author], "users that made the commit", default: []},
    date: {"date", :datetime, "time of the commit; Python's `created_at`"},
    formatted_title: {["formatted", "title"], :string, "title as HTML; with `formatted: true`"},
    formatted_message: {["formatted", "message"], :string, "message as HTML; with `formatted: true`"}

  HfHub.Schema.from_response("""
      iex> response = %{"id" => "c0ffee", "date" => "2025-01-01T00:00:00Z"}
      iex> HfHub.Git.CommitInfo.from_response(response).date
      ~U[2025-01-01 00:00:00Z]
  """)
end
