defmodule HfHub.Api.SpaceInfo do
  @moduledoc """
  What the Hub says about a Space. Python: `SpaceInfo`.

  Which fields are filled depends on the call; the others are `nil`. See `HfHub.Api.ModelInfo` for
  those that they have in common. `:raw` is the whole answer.
  """

  alias HfHub.Api.{ModelInfo, Sibling}
  alias HfHub.Decode

  @fields [
    id: "id",
    author: "author",
    sha: "sha",
    private: "private",
    gated: "gated",
    disabled: "disabled",
    created_at: {"createdAt", &Decode.datetime/1},
    last_modified: {"lastModified", &Decode.datetime/1},
    likes: "likes",
    trending_score: "trendingScore",
    tags: "tags",
    card_data: "cardData",
    siblings: {"siblings", &ModelInfo.siblings/1},
    sdk: "sdk",
    host: "host",
    subdomain: "subdomain",
    runtime: "runtime",
    models: "models",
    datasets: "datasets",
    region: "region",
    used_storage: "usedStorage"
  ]

  @type t :: %__MODULE__{id: String.t(), siblings: [Sibling.t()] | nil, raw: map()}

  defstruct Keyword.keys(@fields) ++ [:raw]

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  defimpl Inspect do
    def inspect(info, _opts),
      do: "#HfHub.Api.SpaceInfo<#{info.id}, #{info.sdk || "no sdk"}, #{info.likes || 0} likes>"
  end
end
