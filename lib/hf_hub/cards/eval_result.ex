defmodule HfHub.Cards.EvalResult do
  @moduledoc """
  A score of a model, as its card's `model-index` has it. Python: `EvalResult`.

    * `:task_type`, `:task_name` - what was done, such as `"text-generation"`
    * `:dataset_type`, `:dataset_name`, `:dataset_config`, `:dataset_split`, `:dataset_revision`, `:dataset_args`
    * `:metric_type`, `:metric_name`, `:metric_value`, `:metric_config`, `:metric_args`
    * `:verified`, `:verify_token` - of scores that the Hub has checked
    * `:source_name`, `:source_url`
  """

  alias HfHub.Brief

  @fields [
    task_type: ["task", "type"],
    task_name: ["task", "name"],
    dataset_name: ["dataset", "name"],
    dataset_type: ["dataset", "type"],
    dataset_config: ["dataset", "config"],
    dataset_split: ["dataset", "split"],
    dataset_revision: ["dataset", "revision"],
    dataset_args: ["dataset", "args"],
    metric_type: ["metric", "type"],
    metric_value: ["metric", "value"],
    metric_name: ["metric", "name"],
    metric_config: ["metric", "config"],
    metric_args: ["metric", "args"],
    verified: ["metric", "verified"],
    verify_token: ["metric", "verifyToken"],
    source_url: ["source", "url"],
    source_name: ["source", "name"]
  ]

  @type t :: %__MODULE__{
          task_type: String.t() | nil,
          task_name: String.t() | nil,
          dataset_name: String.t() | nil,
          dataset_type: String.t() | nil,
          dataset_config: String.t() | nil,
          dataset_split: String.t() | nil,
          dataset_revision: String.t() | nil,
          dataset_args: map() | nil,
          metric_type: String.t() | nil,
          metric_value: term(),
          metric_name: String.t() | nil,
          metric_config: String.t() | nil,
          metric_args: term(),
          verified: boolean() | nil,
          verify_token: String.t() | nil,
          source_url: String.t() | nil,
          source_name: String.t() | nil
        }

  defstruct Keyword.keys(@fields)

  @typedoc "A model's name and its scores."
  @type index :: {String.t() | nil, [t()]}

  @doc false
  # `nil` where it is not what the Hub knows as one.
  @spec from_model_index(term()) :: index() | nil
  def from_model_index([_ | _] = index) do
    results = for %{"results" => results} <- index, result <- List.wrap(results), do: from_result(result)
    whole? = Enum.all?(index, &match?(%{"name" => _, "results" => _}, &1)) and :error not in results
    if whole?, do: {List.last(index)["name"], List.flatten(results)}
  end

  def from_model_index(_other), do: nil

  @doc false
  # Scores of the same task on the same data stand together.
  @spec to_model_index(String.t(), [t()]) :: [keyword() | list()]
  def to_model_index(name, results) do
    groups = Enum.uniq_by(results, &group/1)
    same = &Enum.filter(results, fn result -> group(result) == group(&1) end)
    [[{"name", name}, {"results", Enum.map(groups, &to_result(&1, same.(&1)))}]]
  end

  defp from_result(%{"task" => %{}, "dataset" => %{}, "metrics" => metrics} = result) when is_list(metrics) do
    for metric <- metrics do
      values = for {field, path} <- @fields, do: {field, at(Map.put(result, "metric", metric), path)}
      struct!(__MODULE__, values)
    end
  end

  defp from_result(_other), do: :error

  defp at(map, [part, name]),
    do: with(%{} = inner <- map[part] || %{}, do: inner[name], else: (_other -> nil))

  defp to_result(first, results) do
    source = if first.source_url, do: part(first, "source")

    [
      {"task", part(first, "task")},
      {"dataset", part(first, "dataset")},
      {"metrics", Enum.map(results, &part(&1, "metric"))},
      {"source", source}
    ]
    |> Enum.reject(fn {_name, value} -> value == nil end)
  end

  defp part(result, part) do
    for {field, [^part, name]} <- @fields, value = Map.fetch!(result, field), value != nil, do: {name, value}
  end

  defp group(r),
    do: {r.task_type, r.dataset_type, r.dataset_config, r.dataset_split, r.dataset_revision, r.source_url}

  # The verification token says something about whoever ran the evaluation.
  defimpl Inspect do
    def inspect(result, _opts) do
      Brief.line(result, [result.task_type, result.dataset_name, {result.metric_value, result.metric_type}])
    end
  end
end
