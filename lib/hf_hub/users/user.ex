defmodule HfHub.Users.User do
  @moduledoc """
  A user. Python: `User`.

  Which fields are filled depends on the call; the others are `nil`.
  """

  alias HfHub.Brief
  alias HfHub.Users.Organization

  use HfHub.Schema,
    username: {"user", :string, "name of the account"},
    fullname: {"fullname", :string, "full name"},
    avatar_url: {"avatarUrl", :string, "address of the picture"},
    details: {"details", :string, "text on the user's page"},
    user_type: {"type", :string, "kind of account"},
    is_following: {"isFollowing", :boolean, "whether the caller follows the user"},
    is_pro: {"isPro", :boolean, "whether the account is a PRO account"},
    num_models: {"numModels", :integer, "number of models"},
    num_datasets: {"numDatasets", :integer, "number of datasets"},
    num_spaces: {"numSpaces", :integer, "number of Spaces"},
    num_discussions: {"numDiscussions", :integer, "number of discussions started"},
    num_papers: {"numPapers", :integer, "number of papers"},
    num_upvotes: {"numUpvotes", :integer, "number of upvotes received"},
    num_likes: {"numLikes", :integer, "number of likes given"},
    num_following: {"numFollowing", :integer, "number of accounts that the user follows"},
    num_followers: {"numFollowers", :integer, "number of followers"},
    created_at: {"createdAt", :datetime, "time at which the account was created"},
    role:
      {"role", {:enum, [:admin, :write, :contributor, :read]},
       "role in the organization of `HfHub.Organizations.list_members/2`, if the caller is a member too"},
    orgs: {"orgs", [Organization], "organizations of the user", default: []},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> HfHub.Users.User.from_response(%{"user" => "ada", "numModels" => 3}).num_models
      3
  """)

  defimpl Inspect do
    def inspect(user, _opts), do: Brief.line(user, [user.username, user.fullname])
  end
end
