defmodule HfHub.Cards.DatasetCardData do
  @moduledoc """
  The metadata of a dataset's card. Python: `DatasetCardData`.
  """

  alias HfHub.Brief
  alias HfHub.Cards.Data

  @strings {:or, [:string, [:string]]}

  use HfHub.Schema,
    language: {"language", @strings, "languages, as ISO 639 codes"},
    license: {"license", @strings, "license, such as `\"cc-by-4.0\"`"},
    annotations_creators: {"annotations_creators", @strings, "how the annotations were made"},
    language_creators: {"language_creators", @strings, "how the texts were made"},
    multilinguality: {"multilinguality", @strings, "whether there is one language or several"},
    size_categories: {"size_categories", @strings, "size in rows, such as `\"n<1K\"`"},
    source_datasets: {"source_datasets", @strings, "datasets that this one was made from, or `\"original\"`"},
    task_categories: {"task_categories", @strings, "tasks that the dataset is for"},
    task_ids: {"task_ids", @strings, "tasks in more detail"},
    paperswithcode_id: {"paperswithcode_id", :string, "id of the dataset at Papers with Code"},
    pretty_name: {"pretty_name", :string, "name for readers"},
    train_eval_index: {"train-eval-index", :any, "how to train and evaluate on the dataset"},
    config_names: {"config_names", @strings, "names of the configurations"},
    configs: {"configs", [:map], "configurations with their files"},
    dataset_info: {"dataset_info", :any, "features, splits and sizes"},
    tags: {"tags", [:string], "tags"},
    extra: {{:map, :any}, "metadata without a field, by its name in the card", default: %{}}

  @doc """
  Returns the metadata in a map with the names of the card. Names without a field are kept in `:extra`.

  ## Examples

      iex> data = HfHub.Cards.DatasetCardData.from_map(%{"pretty_name" => "Mine", "mood" => "good"})
      iex> {data.pretty_name, data.extra}
      {"Mine", %{"mood" => "good"}}
  """
  @spec from_map(map()) :: t()
  def from_map(map) when is_map(map), do: Data.from_map(map, __MODULE__)

  defimpl Inspect do
    def inspect(data, _opts), do: Brief.line(data, [data.pretty_name, data.license])
  end
end
