defmodule HfHub.Cards.DatasetCardData do
  @moduledoc """
  The metadata of a dataset's card. Python: `DatasetCardData`.

  What no field is for is in `:extra`, by its name in the card.
  """

  alias HfHub.Brief
  alias HfHub.Cards.Data

  @fields [
    language: "language",
    license: "license",
    annotations_creators: "annotations_creators",
    language_creators: "language_creators",
    multilinguality: "multilinguality",
    size_categories: "size_categories",
    source_datasets: "source_datasets",
    task_categories: "task_categories",
    task_ids: "task_ids",
    paperswithcode_id: "paperswithcode_id",
    pretty_name: "pretty_name",
    train_eval_index: "train-eval-index",
    config_names: "config_names",
    configs: "configs",
    dataset_info: "dataset_info",
    tags: "tags"
  ]

  @type texts :: String.t() | [String.t()] | nil

  @type t :: %__MODULE__{
          language: texts(),
          license: texts(),
          annotations_creators: texts(),
          language_creators: texts(),
          multilinguality: texts(),
          size_categories: texts(),
          source_datasets: texts(),
          task_categories: texts(),
          task_ids: texts(),
          paperswithcode_id: String.t() | nil,
          pretty_name: String.t() | nil,
          train_eval_index: term(),
          config_names: texts(),
          configs: [map()] | nil,
          dataset_info: term(),
          tags: [String.t()] | nil,
          extra: %{String.t() => term()}
        }

  defstruct Keyword.keys(@fields) ++ [extra: %{}]

  @doc false
  def from_map(map), do: Data.from_map(map, __MODULE__, @fields)

  @doc false
  def create(given), do: Data.create(given, __MODULE__, @fields)

  @doc false
  def to_pairs(data), do: Data.to_pairs(data, @fields)

  defimpl Inspect do
    def inspect(data, _opts), do: Brief.line(data, [data.pretty_name, data.license])
  end
end
