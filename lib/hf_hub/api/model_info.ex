defmodule HfHub.Api.ModelInfo do
  @moduledoc """
  What the Hub says about a model. Python: `ModelInfo`.

  Which fields are filled depends on the call; the others are `nil`. `:gated` is `false`, `:auto` or
  `:manual`; `:siblings` are `HfHub.Api.Sibling`s; `:created_at` and `:last_modified` are `DateTime`s;
  `:card_data`, `:config`, `:gguf` and other nested facts are maps with string keys. `:raw` is the whole
  answer, with what this struct has no field for.
  """

  alias HfHub.Api.{InferenceProvider, SafetensorsInfo, Sibling, TransformersInfo}
  alias HfHub.Cards.EvalResultEntry
  alias HfHub.{Brief, Decode}

  @fields [
    id: {"id", &Decode.text/1},
    author: "author",
    sha: "sha",
    private: "private",
    gated: {"gated", &__MODULE__.gated/1},
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
    transformers_info: {"transformersInfo", &TransformersInfo.from_json/1},
    widget_data: "widgetData",
    inference: {"inference", &__MODULE__.inference/1},
    inference_provider_mapping: {"inferenceProviderMapping", &InferenceProvider.list/1},
    siblings: {"siblings", &Sibling.list/1},
    spaces: "spaces",
    safetensors: {"safetensors", &SafetensorsInfo.from_json/1},
    gguf: "gguf",
    security_repo_status: "securityRepoStatus",
    eval_results: {"evalResults", &EvalResultEntry.list/1},
    base_models: "baseModels",
    children_model_count: "childrenModelCount",
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
          library_name: String.t() | nil,
          pipeline_tag: String.t() | nil,
          tags: [String.t()] | nil,
          mask_token: String.t() | nil,
          card_data: map() | nil,
          config: map() | nil,
          model_index: [map()] | map() | nil,
          transformers_info: TransformersInfo.t() | nil,
          widget_data: term(),
          inference: :warm | String.t() | nil,
          inference_provider_mapping: [InferenceProvider.t()] | nil,
          siblings: [Sibling.t()] | nil,
          spaces: [String.t()] | nil,
          safetensors: SafetensorsInfo.t() | nil,
          gguf: map() | nil,
          security_repo_status: map() | nil,
          eval_results: [EvalResultEntry.t()] | nil,
          base_models: term(),
          children_model_count: term(),
          resource_group: map() | nil,
          used_storage: non_neg_integer() | nil,
          raw: map()
        }

  # More fields than one would nest together: they are Python's, one to one.
  defstruct Keyword.keys(@fields) ++ [:raw]

  @doc false
  def from_json(json) do
    info = Decode.struct(json, __MODULE__, @fields)
    mapping = info.inference_provider_mapping
    %{info | inference_provider_mapping: mapping && Enum.map(mapping, &%{&1 | hf_model_id: info.id})}
  end

  @doc false
  def gated(value), do: Decode.enum([:auto, :manual]).(value)

  @doc false
  def inference(value), do: Decode.enum([:warm]).(value)

  defimpl Inspect do
    def inspect(info, _opts) do
      facts = [info.id, info.pipeline_tag, info.library_name]
      Brief.line(info, facts ++ [{info.downloads || 0, "downloads"}, {info.likes || 0, "likes"}])
    end
  end
end
