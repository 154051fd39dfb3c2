defmodule HfHub.Cards.Update do
  # Changes the metadata of cards by the rules of the Python client.
  @moduledoc false

  alias HfHub.Cards.{Data, EvalResult, ModelCardData, ModelIndex, Readme, Template}
  alias HfHub.{Download, Error, Options, RepoRef}

  @results ["model-index", "eval_results"]

  @doc "Returns the card of a repository with changed metadata."
  @spec card(HfHub.repo(), map() | keyword(), boolean(), keyword()) ::
          {:ok, Readme.card()} | {:error, Error.t()}
  def card(repo_id, metadata, overwrite, opts) do
    with {:ok, ref} <- RepoRef.resolve(repo_id, opts),
         {:ok, card} <- current(ref, repo_id, opts),
         do: merge(card, metadata, overwrite, ref.repo_id)
  end

  # A repository without a card gets one from the default template.
  defp current(%{repo_type: type} = ref, repo_id, opts) do
    case readme(repo_id, opts) do
      {:ok, text} -> Readme.parse(text, Readme.module(type))
      {:error, %Error{kind: :entry_not_found}} when type != :space -> template(ref)
      {:error, error} -> {:error, error}
    end
  end

  # Not from the cache: the call may not read or write one.
  defp readme(repo_id, opts) do
    opts = Keyword.take(opts, [:repo_type, :revision, :max_bandwidth] ++ Keyword.keys(Options.common()))

    with {:ok, stream} <- Download.download_stream([repo_id: repo_id, filename: "README.md"] ++ opts),
         do: {:ok, Enum.join(stream)}
  rescue
    error in Error -> {:error, error}
  end

  defp template(%{repo_type: type, repo_id: id}),
    do: Template.create(Readme.module(type), %{}, %{model_id: id, pretty_name: id}, [])

  defp merge(%module{} = card, metadata, overwrite, name) do
    # Checks the type of the metadata.
    _card = Readme.create(module, metadata, "")

    entries = for {name, value} <- flat(metadata), do: {name(name), value}
    names = for({name, _value} <- entries, do: to_string(name))

    with {:ok, data} <- each(entries, card.data, &entry(&2, &1, overwrite)) do
      {:ok, %{card | data: named(data, name), order: card.order ++ (names -- card.order)}}
    end
  end

  # An atom is the name of a field, or of YAML; fields of other names in YAML are atoms only.
  defp name(name), do: Enum.find(@results, name, &(&1 == to_string(name)))

  defp flat(metadata) do
    Enum.flat_map(metadata, fn
      {:extra, %{} = extra} -> Map.to_list(extra)
      entry -> [entry]
    end)
  end

  defp each(items, data, fun) do
    Enum.reduce_while(items, {:ok, data}, fn item, {:ok, data} ->
      case fun.(item, data) do
        {:ok, data} -> {:cont, {:ok, data}}
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
  end

  defp named(%ModelCardData{model_name: nil, eval_results: [_ | _]} = data, name),
    do: %{data | model_name: name}

  defp named(data, _name), do: data

  defp entry(%ModelCardData{} = data, {name, nil}, overwrite) when name in @results do
    if overwrite or current_results(data) == nil,
      do: {:ok, %{data | eval_results: nil, model_name: nil, extra: Map.delete(data.extra, "model-index")}},
      else: conflict("evaluation results", nil)
  end

  defp entry(%ModelCardData{} = data, {name, value}, overwrite) when name in @results do
    {model, results} = results!(name, value)

    cond do
      data.eval_results -> each(results, data, &result(&2, &1, overwrite))
      current_results(data) && !overwrite -> conflict("a model-index of another format", value)
      true -> {:ok, %{data | eval_results: results, model_name: model || data.model_name}}
    end
  end

  defp entry(data, {name, value}, overwrite) do
    current = Data.get(data, name)

    cond do
      plain(current) == plain(value) -> {:ok, data}
      current == nil or overwrite -> {:ok, Data.put(data, name, value)}
      true -> conflict("#{name} #{Options.shown(current)}", value)
    end
  end

  defp current_results(data), do: data.eval_results || data.extra["model-index"]

  defp result(data, new, overwrite) do
    case Enum.filter(data.eval_results, &same_metric?(&1, new)) do
      [] ->
        {:ok, %{data | eval_results: data.eval_results ++ [new]}}

      found ->
        case Enum.find(found, &(&1 != new)) do
          other when other == nil or overwrite ->
            {:ok, %{data | eval_results: Enum.map(data.eval_results, &replace(&1, new))}}

          other ->
            conflict("#{new.metric_type} #{Options.shown(other.metric_value)}", new.metric_value)
        end
    end
  end

  # The verification token is derived from the value.
  defp same_metric?(one, other),
    do: %{one | metric_value: nil, verify_token: nil} == %{other | metric_value: nil, verify_token: nil}

  defp replace(result, new) do
    cond do
      not same_metric?(result, new) -> result
      result.verified == true -> %{result | metric_value: new.metric_value, verify_token: new.verify_token}
      true -> %{result | metric_value: new.metric_value}
    end
  end

  defp results!("eval_results", results) do
    results = List.wrap(results)
    unless Enum.all?(results, &is_struct(&1, EvalResult)), do: invalid!(results)
    {nil, Enum.map(results, &complete!/1)}
  end

  defp results!("model-index", index) do
    index = plain(index)
    unless is_list(index) and Enum.all?(index, &is_map/1), do: invalid!(index)

    case ModelIndex.parse(Enum.map(index, &Map.put_new(&1, "name", nil))) do
      {model, results} -> {model, Enum.map(results, &complete!/1)}
      nil -> invalid!(index)
    end
  end

  @required [:task_type, :dataset_type, :dataset_name, :metric_type, :metric_value]

  defp complete!(result) do
    missing = Enum.filter(@required, &(Map.fetch!(result, &1) == nil))
    if missing == [], do: result, else: raise(ArgumentError, "an evaluation result lacks #{inspect(missing)}")
  end

  defp invalid!(value) do
    raise ArgumentError,
          "expected evaluation results as a model-index or a list of `HfHub.Cards.EvalResult`, got: " <>
            Options.shown(value)
  end

  defp conflict(current, value) do
    message =
      "cannot change the card: it already has #{current}; pass overwrite: true to replace it with #{Options.shown(value)}"

    {:error, Error.new(:conflict, message)}
  end

  # Values as they are read from YAML.
  defp plain(%module{} = time) when module in [Date, Time, NaiveDateTime, DateTime],
    do: module.to_iso8601(time)

  defp plain(%_module{} = other), do: other
  defp plain(%{} = map), do: Map.new(map, fn {name, value} -> {to_string(name), plain(value)} end)
  defp plain([{_name, _value} | _] = pairs), do: pairs |> Map.new() |> plain()
  defp plain(list) when is_list(list), do: Enum.map(list, &plain/1)
  defp plain(value) when value in [nil, true, false, :nan, :infinity, :neg_infinity], do: value
  defp plain(atom) when is_atom(atom), do: Atom.to_string(atom)
  defp plain(value), do: value
end
