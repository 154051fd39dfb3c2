defmodule HfHub.Api.ModelInfo do
  @moduledoc """
  What the Hub says about a model. Python: `ModelInfo`.

  Which fields are filled depends on the call; the others are `nil`. `:gated` is `false`, `"auto"` or
  `"manual"`; `:siblings` are `HfHub.Api.Sibling`s; `:created_at` and `:last_modified` are `DateTime`s;
  `:card_data`, `:config`, `:safetensors`, `:gguf` and other nested facts are maps with string keys.
  `:raw` is the whole answer.
  """

  alias HfHub.Api.Sibling
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
    library_name: "library_name",
    pipeline_tag: "pipeline_tag",
    tags: "tags",
    mask_token: "mask_token",
    card_data: "cardData",
    config: "config",
    model_index: "model-index",
    transformers_info: "transformersInfo",
    widget_data: "widgetData",
    inference: "inference",
    siblings: {"siblings", &__MODULE__.siblings/1},
    spaces: "spaces",
    safetensors: "safetensors",
    gguf: "gguf",
    security_repo_status: "securityRepoStatus",
    used_storage: "usedStorage"
  ]

  @type t :: %__MODULE__{id: String.t(), siblings: [Sibling.t()] | nil, raw: map()}

  defstruct Keyword.keys(@fields) ++ [:raw]

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  @doc false
  def siblings(list), do: Decode.optional(Decode.list(&Sibling.from_json/1)).(list)

  defimpl Inspect do
    def inspect(info, _opts) do
      facts = for fact <- [info.pipeline_tag, info.library_name], is_binary(fact), do: ", " <> fact
      "#HfHub.Api.ModelInfo<#{info.id}#{facts}, #{info.downloads || 0} downloads, #{info.likes || 0} likes>"
    end
  end
end
