defmodule HfHub.Likes.LikedRepo do
  @moduledoc """
  A repository that a user likes. Python: an entry of `UserLikes`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    repo_id: {["repo", "name"], :name, "id of the repository"},
    repo_type: {["repo", "type"], {:enum, [:model, :dataset, :space, :kernel]}, "type of the repository"},
    created_at: {"createdAt", :datetime, "time of the like"},
    repo: {"repo", :map, "name and type as in the response, by its name in hf_hub 0.3", json: false},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  defimpl Inspect do
    def inspect(liked, _opts), do: Brief.line(liked, [liked.repo_id, liked.repo_type])
  end
end
