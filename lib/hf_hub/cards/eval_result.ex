defmodule HfHub.Cards.EvalResult do
  @moduledoc """
  An evaluation result of a model in the `model-index` of its card. Python: `EvalResult`.
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
    dataset_args: {["dataset", "args"], :map, "arguments that the dataset was loaded with"},
    metric_type: {["metric", "type"], :string, "metric, such as `\"accuracy\"`"},
    metric_value: {["metric", "value"], :any, "value of the metric"},
    metric_name: {["metric", "name"], :string, "name of the metric for readers"},
    metric_config: {["metric", "config"], :string, "configuration of the metric"},
    metric_args: {["metric", "args"], :any, "arguments of the metric"},
    verified: {["metric", "verified"], :boolean, "whether the Hub has verified the result"},
    verify_token: {["metric", "verifyToken"], :string, "proof that the Hub has verified the result"},
    source_url: {["source", "url"], :string, "URL of the result's source"},
    source_name: {["source", "name"], :string, "name of the result's source"}

  @doc """
  Returns the result in a map with string keys: an entry of a `model-index`, or one with the names of the fields.

  Of several metrics the first counts; `HfHub.Cards.parse_model_card/1` returns a result for each.

  ## Examples

      iex> task = %{"type" => "text-classification"}
      iex> metrics = [%{"type" => "accuracy", "value" => 0.92}]
      iex> result = HfHub.Cards.EvalResult.from_map(%{"task" => task, "metrics" => metrics})
      iex> {result.task_type, result.metric_type, result.metric_value}
      {"text-classification", "accuracy", 0.92}
  """
  @spec from_map(map()) :: t()
  def from_map(map) when is_map(map) do
    nested = __decode__(Map.put(map, "metric", List.first(List.wrap(map["metrics"])) || map["metric"]))

    flat =
      for {field, _from, _type, _doc, _opts} <- @fields, Map.fetch!(nested, field) == nil do
        {field, map[Atom.to_string(field)]}
      end

    struct!(nested, flat)
  end

  # Without the verification token, which identifies the evaluation run.
  defimpl Inspect do
    def inspect(result, _opts) do
      Brief.line(result, [result.task_type, result.dataset_name, {result.metric_value, result.metric_type}])
    end
  end
end
