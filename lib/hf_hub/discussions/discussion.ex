defmodule HfHub.Discussions.Discussion do
  @moduledoc """
  A discussion or pull request as in lists. Python: `Discussion`.

  `HfHub.Discussions.get/3` returns the details. The author is `"deleted"` if the user was removed.
  """

  alias HfHub.Brief
  alias HfHub.Discussions.Address

  use HfHub.Schema,
    num: {"num", :integer, "number in the repository"},
    title: {"title", :string, "title"},
    author: {["author", "name"], :string, "user that opened it", default: "deleted"},
    status:
      {"status", {:enum, [:open, :closed, :merged, :draft]},
       "status. Only pull requests are drafts, or merged"},
    is_pull_request: {"isPullRequest", :boolean, "whether it is a pull request", default: false},
    git_reference: {[], :string, "revision of a pull request, such as `\"refs/pr/3\"`", by: :git_reference},
    repo_id: {["repo", "name"], :string, "id of the repository"},
    repo_type: {["repo", "type"], {:enum, [:model, :dataset, :space]}, "type of the repository"},
    url: {:url, {:or, [:string, nil]}, "URL of the discussion's page"},
    pinned: {"pinned", :boolean, "whether it is shown before others", default: false},
    num_comments: {"numComments", :integer, "number of comments"},
    created_at: {"createdAt", :datetime, "time when it was opened"},
    updated_at: {"updatedAt", :datetime, "time of the last change, on Hubs that return it"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> discussion = %{"num" => 3, "title" => "Fix", "status" => "draft", "isPullRequest" => true}
      iex> HfHub.Discussions.Discussion.from_response(discussion).git_reference
      "refs/pr/3"
  """)

  defp git_reference(json), do: Address.git_reference(json)

  defimpl Inspect do
    def inspect(found, _opts), do: Brief.line(found, [found.num, found.title, found.status, found.author])
  end
end
