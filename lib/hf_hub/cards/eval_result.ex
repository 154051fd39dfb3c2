defmodule HfHub.Cards.EvalResult do
  @moduledoc """
  A score of a model, as its card's `model-index` has it. Python: `EvalResult`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    task_type: {["task", "type"], :string, "task, such as `\"text-generation\"`"},
    task_name: {["task", "name"], :string, "name of the task for readers"},
    dataset_name: {["dataset", "name"], :string, "name of the dataset for readers"},
    dataset_type: {["dataset", "type"], :string, "id of the dataset"},
    dataset_config: {["dataset", "config"], :string, "configuration of the dataset"},
    dataset_split: {["dataset", "split"], :string, "split of the dataset"},
    dataset_revision: {["dataset", "revision"], :string, "revision of the dataset"},
    dataset_args: {["dataset", "args"], :map, "arguments with which the dataset was loaded"},
    metric_type: {["metric", "type"], :string, "metric, such as `\"accuracy\"`"},
    metric_value: {["metric", "value"], :any, "score"},
    metric_name: {["metric", "name"], :string, "name of the metric for readers"},
    metric_config: {["metric", "config"], :string, "configuration of the metric"},
    metric_args: {["metric", "args"], :any, "arguments of the metric"},
    verified: {["metric", "verified"], :boolean, "whether the Hub has checked the score"},
    verify_token: {["metric", "verifyToken"], :string, "proof that the Hub has checked the score"},
    source_url: {["source", "url"], :string, "address of the score's source"},
    source_name: {["source", "name"], :string, "name of the score's source"}

  # The verification token says something about whoever ran the evaluation.
  defimpl Inspect do
    def inspect(result, _opts) do
      Brief.line(result, [result.task_type, result.dataset_name, {result.metric_value, result.metric_type}])
    end
  end
end
