defmodule HfHub.Cards.ModelCardData do
  @moduledoc """
  The metadata of a model's card. Python: `ModelCardData`.

  `:eval_results` are the `HfHub.Cards.EvalResult`s of the card's `model-index`, and `:model_name` the name in
  it. What no field is for is in `:extra`, by its name in the card.
  """

  alias HfHub.Brief
  alias HfHub.Cards.{Data, EvalResult}

  @fields [
    language: "language",
    license: "license",
    license_name: "license_name",
    license_link: "license_link",
    library_name: "library_name",
    tags: "tags",
    datasets: "datasets",
    metrics: "metrics",
    base_model: "base_model",
    pipeline_tag: "pipeline_tag",
    model_name: "model_name",
    widget: "widget",
    inference: "inference",
    co2_eq_emissions: "co2_eq_emissions"
  ]

  @index "model-index"

  @type t :: %__MODULE__{
          language: String.t() | [String.t()] | nil,
          license: String.t() | [String.t()] | nil,
          license_name: String.t() | nil,
          license_link: String.t() | nil,
          library_name: String.t() | nil,
          tags: [String.t()] | nil,
          datasets: String.t() | [String.t()] | nil,
          metrics: [String.t()] | nil,
          base_model: String.t() | [String.t()] | nil,
          pipeline_tag: String.t() | nil,
          model_name: String.t() | nil,
          widget: term(),
          inference: term(),
          co2_eq_emissions: term(),
          eval_results: [EvalResult.t()] | nil,
          extra: %{String.t() => term()}
        }

  defstruct Keyword.keys(@fields) ++ [:eval_results, extra: %{}]

  @doc false
  def from_map(map) do
    data = Data.from_map(map, __MODULE__, @fields)

    case EvalResult.from_model_index(map[@index]) do
      {name, results} -> %{data | model_name: name, eval_results: results}
      nil -> data
    end
  end

  @doc false
  def create(given) do
    data = Data.create(given, __MODULE__, [eval_results: "eval_results"] ++ @fields)

    case EvalResult.from_model_index(data.extra[@index]) do
      {name, results} when data.eval_results == nil -> %{data | model_name: name, eval_results: results}
      _none -> data
    end
  end

  @doc false
  # The scores that nobody changed stay as they were written.
  def to_pairs(data) do
    written = EvalResult.from_model_index(data.extra[@index])
    pairs = Data.to_pairs(data, @fields)

    cond do
      written == {data.model_name, data.eval_results} -> without(pairs, ["model_name"])
      data.eval_results not in [nil, []] -> without(pairs, ["model_name", @index]) ++ [{@index, index!(data)}]
      written == nil -> pairs
      true -> without(pairs, [@index])
    end
  end

  defp index!(%{model_name: nil}), do: raise(ArgumentError, "a card with :eval_results needs a :model_name")
  defp index!(data), do: EvalResult.to_model_index(data.model_name, data.eval_results)

  defp without(pairs, names), do: Enum.reject(pairs, fn {name, _value} -> name in names end)

  defimpl Inspect do
    def inspect(data, _opts), do: Brief.line(data, [data.model_name, data.license, data.pipeline_tag])
  end
end
