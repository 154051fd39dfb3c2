defmodule HfHub.Organizations.Organization do
  @moduledoc """
  An organization. Python: `Organization`.

    * `:name`, `:fullname`, `:avatar_url`, `:details`
    * `:is_verified`, `:is_following`
    * `:num_users`, `:num_models`, `:num_spaces`, `:num_datasets`, `:num_followers`, `:num_papers`
    * `:plan` - such as `"enterprise"`
    * `:raw` - the whole answer
  """

  alias HfHub.{Brief, Decode}

  @fields [
    name: "name",
    fullname: "fullname",
    avatar_url: "avatarUrl",
    details: "details",
    is_verified: "isVerified",
    is_following: "isFollowing",
    num_users: "numUsers",
    num_models: "numModels",
    num_spaces: "numSpaces",
    num_datasets: "numDatasets",
    num_followers: "numFollowers",
    num_papers: "numPapers",
    plan: "plan"
  ]

  @type t :: %__MODULE__{
          name: String.t() | nil,
          fullname: String.t() | nil,
          avatar_url: String.t() | nil,
          details: String.t() | nil,
          is_verified: boolean() | nil,
          is_following: boolean() | nil,
          num_users: non_neg_integer() | nil,
          num_models: non_neg_integer() | nil,
          num_spaces: non_neg_integer() | nil,
          num_datasets: non_neg_integer() | nil,
          num_followers: non_neg_integer() | nil,
          num_papers: non_neg_integer() | nil,
          plan: String.t() | nil,
          raw: map()
        }

  defstruct Keyword.keys(@fields) ++ [:raw]

  @doc false
  def from_json(json), do: Decode.optional(&Decode.struct(&1, __MODULE__, @fields)).(json)

  defimpl Inspect do
    def inspect(organization, _opts), do: Brief.line(organization, [organization.name, organization.fullname])
  end
end
