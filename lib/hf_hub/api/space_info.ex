defmodule HfHub.Api.SpaceInfo do
  @moduledoc """
  What the Hub says about a Space. Python: `SpaceInfo`.

  Which fields are filled depends on the call; the others are `nil`. See `HfHub.Api.ModelInfo` for
  those that they have in common. `:runtime` is a `HfHub.Spaces.Runtime`, `:region` `:us` or `:eu`.
  `:raw` is the whole answer.
  """

  alias HfHub.Api.{ModelInfo, Sibling}
  alias HfHub.Spaces.Runtime
  alias HfHub.{Brief, Decode}

  @fields [
    id: {"id", &Decode.text/1},
    author: "author",
    sha: "sha",
    private: "private",
    gated: {"gated", &ModelInfo.gated/1},
    disabled: "disabled",
    created_at: {"createdAt", &Decode.datetime/1},
    last_modified: {"lastModified", &Decode.datetime/1},
    likes: "likes",
    trending_score: "trendingScore",
    tags: "tags",
    card_data: "cardData",
    siblings: {"siblings", &Sibling.list/1},
    sdk: "sdk",
    host: "host",
    subdomain: "subdomain",
    runtime: {"runtime", &Runtime.from_json/1},
    models: "models",
    datasets: "datasets",
    region: {"region", &__MODULE__.region/1},
    resource_group: "resourceGroup",
    used_storage: "usedStorage"
  ]

  @type t :: %__MODULE__{
          id: String.t(),
          author: String.t() | nil,
          sha: String.t() | nil,
          private: boolean() | nil,
          gated: false | :auto | :manual | nil,
          disabled: boolean() | nil,
          created_at: DateTime.t() | nil,
          last_modified: DateTime.t() | nil,
          likes: non_neg_integer() | nil,
          trending_score: number() | nil,
          tags: [String.t()] | nil,
          card_data: map() | nil,
          siblings: [Sibling.t()] | nil,
          sdk: String.t() | nil,
          host: String.t() | nil,
          subdomain: String.t() | nil,
          runtime: Runtime.t() | nil,
          models: [String.t()] | nil,
          datasets: [String.t()] | nil,
          region: :us | :eu | String.t() | nil,
          resource_group: map() | nil,
          used_storage: non_neg_integer() | nil,
          raw: map()
        }

  defstruct Keyword.keys(@fields) ++ [:raw]

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  @doc false
  def region(value), do: Decode.enum([:us, :eu]).(value)

  defimpl Inspect do
    def inspect(info, _opts),
      do: Brief.line(info, [info.id, info.sdk || "no sdk", {info.likes || 0, "likes"}])
  end
end
