defmodule HfHub.Api.ModelInfo do
  @moduledoc """
  Information about a model. Python: `ModelInfo`.

  Which fields are filled depends on the call; the others are `nil`. Maps have string keys.
  """

  alias HfHub.Api.{InferenceProvider, SafetensorsInfo, TransformersInfo}
  alias HfHub.Cards.EvalResultEntry
  alias HfHub.{Brief, Decode}

  # The same fields as in the Python client.
  use HfHub.Api.RepoFields,
    id: {"id", :name, "id of the repository, such as `\"openai-community/gpt2\"`"},
    downloads: {"downloads", :integer, "number of downloads in the last 30 days"},
    downloads_all_time: {"downloadsAllTime", :integer, "number of downloads since creation"},
    library_name: {"library_name", :string, "library that the model is made for, such as `\"transformers\"`"},
    pipeline_tag: {"pipeline_tag", :string, "task of the model, such as `\"text-generation\"`"},
    tags: {"tags", [:string], "tags of the model, those of its card included"},
    mask_token: {"mask_token", :string, "token that stands for a masked word"},
    card_data: {"cardData", :map, "metadata of the model's card"},
    config: {"config", :map, "excerpt of the model's configuration"},
    model_index: {"model-index", {:or, [[:map], :map]}, "evaluation results in the card"},
    transformers_info:
      {"transformersInfo", TransformersInfo, "how the `transformers` library loads the model"},
    widget_data: {"widgetData", :any, "examples of inputs for the widget on the model's page"},
    inference: {"inference", {:enum, [:warm]}, "state of the model at the inference providers"},
    inference_provider_mapping:
      {{:all, ["inferenceProviderMapping", "id"]}, {:or, [[InferenceProvider], nil]},
       "providers that serve the model", by_some: :providers},
    spaces: {"spaces", [:string], "ids of Spaces that use the model"},
    safetensors: {"safetensors", SafetensorsInfo, "number of parameters"},
    gguf: {"gguf", :map, "facts from the header of a GGUF file"},
    security_repo_status: {"securityRepoStatus", :map, "results of the security scans"},
    eval_results:
      {"evalResults", {:or, [[EvalResultEntry], nil]}, "evaluation results for the Hub's benchmarks",
       by_some: :eval_results},
    base_models: {"baseModels", :any, "models that this one was made from"},
    children_model_count: {"childrenModelCount", :any, "number of models made from this one"}

  # Information on one model has an object by provider, a list of models has a list.
  defp providers([mapping, id]) when is_map(mapping) do
    for {provider, json} <- mapping,
        do: %{Decode.struct(InferenceProvider, json) | provider: provider, hf_model_id: id}
  end

  defp providers([mapping, id]) when is_list(mapping),
    do: for(json <- mapping, do: %{Decode.struct(InferenceProvider, json) | hf_model_id: id})

  defp providers(_none), do: nil

  # The Hub lists a file that it could not parse with an `error` instead of data.
  defp eval_results(items) when is_list(items),
    do: for(item <- items, not match?(%{"error" => _}, item), do: eval_result(item))

  defp eval_results(_none), do: nil

  defp eval_result(%{"data" => data}), do: eval_result(data)
  defp eval_result(json), do: Decode.struct(EvalResultEntry, json)

  defimpl Inspect do
    def inspect(info, _opts) do
      facts = [info.id, info.pipeline_tag, info.library_name]
      Brief.line(info, facts ++ [{info.downloads || 0, "downloads"}, {info.likes || 0, "likes"}])
    end
  end
end
