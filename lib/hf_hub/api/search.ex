defmodule HfHub.Api.Search do
  # Lists models, datasets and Spaces, with the same queries as the Python client.
  @moduledoc false

  alias HfHub.Api.{DatasetInfo, ModelInfo, SpaceInfo, Tables}
  alias HfHub.{Error, Options, Request}

  @type types :: :models | :datasets | :spaces

  # Options that are sent in `filter`, with their names as a prefix.
  @facets [
    :language_creators,
    :language,
    :multilinguality,
    :size_categories,
    :task_categories,
    :task_ids
  ]

  @names %{card_data: "cardData"}
  @sorts %{last_modified: "lastModified", trending_score: "trendingScore", created_at: "createdAt"}
  @switches [:full, :config, :card_data, :linked]

  @doc "Returns up to `:limit` repositories of a type."
  @spec list(types(), keyword()) :: {:ok, [struct()]} | {:error, Error.t()}
  def list(types, opts) do
    opts = check!(Options.validate!(opts, table(types)))
    Request.list(request(types, opts), opts[:limit], module(types), wanted(opts[:emissions_thresholds]))
  end

  @doc "Returns repositories of a type as a lazy stream."
  @spec stream(types(), keyword()) :: Enumerable.t()
  def stream(types, opts) do
    opts = check!(Options.validate!(opts, Tables.unlimited(table(types))))
    Request.stream(request(types, opts), module(types), wanted(opts[:emissions_thresholds]))
  end

  defp table(:models), do: Tables.models()
  defp table(:datasets), do: Tables.datasets()
  defp table(:spaces), do: Tables.spaces()

  defp module(:models), do: ModelInfo
  defp module(:datasets), do: DatasetInfo
  defp module(:spaces), do: SpaceInfo

  defp check!(opts) do
    if opts[:expand] && Enum.any?([:full, :config, :card_data], &opts[&1]) do
      raise ArgumentError, "`:expand` cannot be combined with `:full`, `:config` or `:card_data`"
    end

    # The emissions are in the card.
    if opts[:emissions_thresholds] && !opts[:expand], do: Keyword.put(opts, :card_data, true), else: opts
  end

  defp request(types, opts) do
    query = for {name, _value} <- opts, value = value(name, opts), do: {@names[name] || name, value}

    Request.new(:get, "/api/:types", [types: types], opts)
    |> Request.query(Keyword.drop(query, [:emissions_thresholds | Keyword.keys(Options.common())]))
  end

  # `nil` is omitted, and so is `false` for filters that the Hub only supports as true.
  defp value(:filter, opts), do: some(List.wrap(opts[:filter]) ++ trained(opts) ++ facets(opts))
  defp value(:search, opts), do: some(List.wrap(opts[:dataset_name]) ++ List.wrap(opts[:search]))
  defp value(name, _opts) when name in [:trained_dataset, :benchmark, :dataset_name | @facets], do: nil
  defp value(:sort, opts), do: Map.get(@sorts, opts[:sort], opts[:sort])
  defp value(:gated, opts), do: opts[:gated] != nil && to_string(opts[:gated])
  defp value(name, opts) when name in @switches, do: opts[name] || nil
  defp value(name, opts), do: opts[name]

  defp trained(opts), do: prefixed("dataset", opts[:trained_dataset])

  defp facets(opts) do
    benchmark = if opts[:benchmark] == true, do: "official", else: opts[:benchmark]
    Enum.flat_map(@facets, &prefixed(&1, opts[&1])) ++ prefixed("benchmark", benchmark)
  end

  defp prefixed(name, values) do
    for value <- List.wrap(values),
        do: if(String.starts_with?(value, "#{name}:"), do: value, else: "#{name}:#{value}")
  end

  defp some([]), do: nil
  defp some(values), do: values

  defp wanted({least, most}) do
    fn page ->
      if is_list(page),
        do: Enum.filter(page, fn json -> (grams = emitted(json)) && grams >= least && grams <= most end),
        else: page
    end
  end

  defp wanted(_none), do: nil

  # A number, a text that contains a number, or an object with the number in "emissions".
  defp emitted(%{"cardData" => %{"co2_eq_emissions" => emissions}}), do: grams(emissions)
  defp emitted(_other), do: nil

  defp grams(%{"emissions" => emissions}), do: grams(emissions)
  defp grams(number) when is_number(number) and number != 0, do: number

  defp grams(text) when is_binary(text) do
    case Regex.run(~r/\d+\.\d+|\d+/, text) do
      [number] -> number |> Float.parse() |> elem(0)
      nil -> nil
    end
  end

  defp grams(_other), do: nil
end
