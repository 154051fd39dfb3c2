defmodule HfHub.Discussions.Discussion do
  @moduledoc """
  A discussion or pull request as in lists. Python: `Discussion`.

  `HfHub.Discussions.get/3` returns the details. The author is `"deleted"` if the user was removed.
  """

  alias HfHub.Brief

  use HfHub.Discussions.Fields, num_comments: {"numComments", :integer, "number of comments"}

  HfHub.Schema.from_response("""
      iex> discussion = %{"num" => 3, "title" => "Fix", "status" => "draft", "isPullRequest" => true}
      iex> HfHub.Discussions.Discussion.from_response(discussion).git_reference
      "refs/pr/3"
  """)

  defimpl Inspect do
    def inspect(found, _opts), do: Brief.line(found, [found.num, found.title, found.status, found.author])
  end
end
