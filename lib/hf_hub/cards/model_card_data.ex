defmodule HfHub.Cards.ModelCardData do
  @moduledoc """
  The metadata of a model's card. Python: `ModelCardData`.
  """

  alias HfHub.Brief
  alias HfHub.Cards.{Data, EvalResult}

  @strings {:or, [:string, [:string]]}

  use HfHub.Schema,
    language: {"language", @strings, "languages, as ISO 639 codes"},
    license: {"license", @strings, "license, such as `\"apache-2.0\"`"},
    license_name: {"license_name", :string, "name of a license that is not in the Hub's list"},
    license_link: {"license_link", :string, "URL or file of that license"},
    library_name: {"library_name", :string, "library that the model is made for, such as `\"transformers\"`"},
    tags: {"tags", [:string], "tags"},
    datasets: {"datasets", @strings, "ids of datasets that the model was trained with"},
    metrics: {"metrics", [:string], "metrics that the model was evaluated with"},
    base_model: {"base_model", @strings, "id of the model that this one was made from"},
    pipeline_tag: {"pipeline_tag", :string, "task of the model, such as `\"text-generation\"`"},
    model_name: {"model_name", :string, "name in the card's `model-index`"},
    widget: {"widget", :any, "examples of inputs for the widget on the model's page"},
    inference: {"inference", :any, "whether and how the model's page offers inference"},
    co2_eq_emissions: {"co2_eq_emissions", :any, "grams of CO2 emitted in training, or a map with details"},
    eval_results: {{:or, [[EvalResult], nil]}, "results in the card's `model-index`"},
    extra: {{:map, :any}, "metadata without a field, by its name in the card", default: %{}}

  @doc """
  Returns the metadata in a map with the names of the card. Names without a field are kept in `:extra`.

  ## Examples

      iex> data = HfHub.Cards.ModelCardData.from_map(%{"license" => "mit", "mood" => "good"})
      iex> {data.license, data.extra}
      {"mit", %{"mood" => "good"}}
  """
  @spec from_map(map()) :: t()
  def from_map(map) when is_map(map), do: Data.from_map(map, __MODULE__)

  defimpl Inspect do
    def inspect(data, _opts), do: Brief.line(data, [data.model_name, data.license, data.pipeline_tag])
  end
end
