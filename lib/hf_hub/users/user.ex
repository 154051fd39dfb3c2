defmodule HfHub.Users.User do
  @moduledoc """
  A user. Python: `User`.

    * `:username`, `:fullname`, `:avatar_url`, `:details`
    * `:user_type`
    * `:is_following`, `:is_pro`
    * `:num_models`, `:num_datasets`, `:num_spaces`, `:num_discussions`, `:num_papers`, `:num_upvotes`,
      `:num_likes`, `:num_following`, `:num_followers`
    * `:orgs` - a list of `HfHub.Organizations.Organization`
    * `:raw` - the whole answer
  """

  alias HfHub.{Brief, Decode}
  alias HfHub.Organizations.Organization

  @fields [
    username: "user",
    fullname: "fullname",
    avatar_url: "avatarUrl",
    details: "details",
    user_type: "type",
    is_following: "isFollowing",
    is_pro: "isPro",
    num_models: "numModels",
    num_datasets: "numDatasets",
    num_spaces: "numSpaces",
    num_discussions: "numDiscussions",
    num_papers: "numPapers",
    num_upvotes: "numUpvotes",
    num_likes: "numLikes",
    num_following: "numFollowing",
    num_followers: "numFollowers",
    orgs: {"orgs", &__MODULE__.orgs/1}
  ]

  @type t :: %__MODULE__{
          username: String.t() | nil,
          fullname: String.t() | nil,
          avatar_url: String.t() | nil,
          details: String.t() | nil,
          user_type: String.t() | nil,
          is_following: boolean() | nil,
          is_pro: boolean() | nil,
          num_models: non_neg_integer() | nil,
          num_datasets: non_neg_integer() | nil,
          num_spaces: non_neg_integer() | nil,
          num_discussions: non_neg_integer() | nil,
          num_papers: non_neg_integer() | nil,
          num_upvotes: non_neg_integer() | nil,
          num_likes: non_neg_integer() | nil,
          num_following: non_neg_integer() | nil,
          num_followers: non_neg_integer() | nil,
          orgs: [Organization.t()],
          raw: map()
        }

  defstruct Keyword.keys(@fields) ++ [:raw]

  @doc false
  def from_json(json), do: Decode.optional(&Decode.struct(&1, __MODULE__, @fields)).(json)

  @doc false
  def orgs(list), do: Decode.list(&Organization.from_json/1).(list)

  defimpl Inspect do
    def inspect(user, _opts), do: Brief.line(user, [user.username, user.fullname])
  end
end
