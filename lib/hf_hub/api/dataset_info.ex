defmodule HfHub.Api.DatasetInfo do
  @moduledoc """
  What the Hub says about a dataset. Python: `DatasetInfo`.

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
    downloads: "downloads",
    downloads_all_time: "downloadsAllTime",
    likes: "likes",
    trending_score: "trendingScore",
    tags: "tags",
    card_data: "cardData",
    siblings: {"siblings", &ModelInfo.siblings/1},
    citation: "citation",
    description: "description",
    main_size: "mainSize",
    paperswithcode_id: "paperswithcode_id",
    used_storage: "usedStorage"
  ]

  @type t :: %__MODULE__{id: String.t(), siblings: [Sibling.t()] | nil, raw: map()}

  defstruct Keyword.keys(@fields) ++ [:raw]

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  defimpl Inspect do
    def inspect(info, _opts),
      do: "#HfHub.Api.DatasetInfo<#{info.id}, #{info.downloads || 0} downloads, #{info.likes || 0} likes>"
  end
end
