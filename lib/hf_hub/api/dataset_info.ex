defmodule HfHub.Api.DatasetInfo do
  @moduledoc """
  What the Hub says about a dataset. Python: `DatasetInfo`.

  Which fields are filled depends on the call; the others are `nil`. See `HfHub.Api.ModelInfo` for
  those that they have in common. `:main_size` and `:used_storage` are bytes. `:raw` is the whole answer.
  """

  alias HfHub.Api.{ModelInfo, Sibling}
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
    downloads: "downloads",
    downloads_all_time: "downloadsAllTime",
    likes: "likes",
    trending_score: "trendingScore",
    tags: "tags",
    card_data: "cardData",
    siblings: {"siblings", &Sibling.list/1},
    citation: "citation",
    description: "description",
    main_size: "mainSize",
    paperswithcode_id: "paperswithcode_id",
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
          downloads: non_neg_integer() | nil,
          downloads_all_time: non_neg_integer() | nil,
          likes: non_neg_integer() | nil,
          trending_score: number() | nil,
          tags: [String.t()] | nil,
          card_data: map() | nil,
          siblings: [Sibling.t()] | nil,
          citation: String.t() | nil,
          description: String.t() | nil,
          main_size: non_neg_integer() | nil,
          paperswithcode_id: String.t() | nil,
          resource_group: map() | nil,
          used_storage: non_neg_integer() | nil,
          raw: map()
        }

  defstruct Keyword.keys(@fields) ++ [:raw]

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  defimpl Inspect do
    def inspect(info, _opts),
      do: Brief.line(info, [info.id, {info.downloads || 0, "downloads"}, {info.likes || 0, "likes"}])
  end
end
