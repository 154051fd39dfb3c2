defmodule HfHub.Cards.ModelIndex do
  # Converts evaluation results from and to the `model-index` of a card.
  @moduledoc false

  alias HfHub.Cards.EvalResult
  alias HfHub.Decode

  @typedoc "A model's name and its results."
  @type index :: {String.t() | nil, [EvalResult.t()]}

  @doc "Returns the results in an index; `nil` if it does not have the format of the Hub."
  @spec parse(term()) :: index() | nil
  def parse([_ | _] = index) do
    results = for %{"results" => results} <- index, result <- List.wrap(results), do: from_result(result)
    whole? = Enum.all?(index, &match?(%{"name" => _, "results" => _}, &1)) and :error not in results
    if whole?, do: {List.last(index)["name"], List.flatten(results)}
  end

  def parse(_other), do: nil

  @doc "Returns the index of results. Those of the same task on the same dataset are grouped, as in the Python client."
  @spec render(String.t(), [EvalResult.t()]) :: [keyword() | list()]
  def render(name, results) do
    groups = Enum.uniq_by(results, &group/1)
    same = &Enum.filter(results, fn result -> group(result) == group(&1) end)
    [[{"name", name}, {"results", Enum.map(groups, &to_result(&1, same.(&1)))}]]
  end

  defp from_result(%{"task" => %{}, "dataset" => %{}, "metrics" => metrics} = result) when is_list(metrics) do
    for metric <- metrics, do: Decode.struct(EvalResult, Map.put(result, "metric", metric))
  end

  defp from_result(_other), do: :error

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
    for {field, [^part, name], _type, _doc, _opts} <- EvalResult.__fields__(),
        value = Map.fetch!(result, field),
        value != nil,
        do: {name, value}
  end

  defp group(r),
    do: {r.task_type, r.dataset_type, r.dataset_config, r.dataset_split, r.dataset_revision, r.source_url}
end
