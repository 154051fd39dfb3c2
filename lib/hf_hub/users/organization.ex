defmodule HfHub.Users.Organization do
  @moduledoc """
  An organization. Python: `Organization`.

  Which fields are filled depends on the call; the others are `nil`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    name: {"name", :string, "name of the account"},
    fullname: {"fullname", :string, "full name"},
    avatar_url: {"avatarUrl", :string, "address of the picture"},
    details: {"details", :string, "text on the organization's page"},
    is_verified: {"isVerified", :boolean, "whether the Hub has verified the organization"},
    is_following: {"isFollowing", :boolean, "whether the caller follows the organization"},
    num_users: {"numUsers", :integer, "number of members"},
    num_members: {"numUsers", :integer, "same as `:num_users`, by its name in hf_hub 0.3"},
    num_models: {"numModels", :integer, "number of models"},
    num_spaces: {"numSpaces", :integer, "number of Spaces"},
    num_datasets: {"numDatasets", :integer, "number of datasets"},
    num_followers: {"numFollowers", :integer, "number of followers"},
    num_papers: {"numPapers", :integer, "number of papers"},
    plan: {"plan", :string, "plan of the organization, such as `\"enterprise\"`"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> HfHub.Users.Organization.from_response(%{"name" => "google", "numUsers" => 3}).num_members
      3
  """)

  defimpl Inspect do
    def inspect(organization, _opts), do: Brief.line(organization, [organization.name, organization.fullname])
  end
end
