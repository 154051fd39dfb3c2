defmodule HfHub.DatasetFiles.Layout do
  # The configurations of a dataset and their splits, from the first of four sources that has them:
  # the card, the older `dataset_infos.json`, the dataset viewer, and the names of the files.
  @moduledoc false

  alias HfHub.Api.TreeEntry
  alias HfHub.DatasetFiles.{Patterns, Place, Selection, Viewer}
  alias HfHub.{Api, DatasetFiles, Error, Options, RepoRef, Request}

  @typedoc "Configurations in order, each with its splits; without splits if a source only has names."
  @type t :: [{String.t(), [String.t()]}]

  @doc "Returns the names of the configurations."
  @spec configs(HfHub.repo(), keyword()) :: {:ok, [String.t()]} | {:error, Error.t()}
  def configs(repo_id, opts) do
    with {:ok, ref} <- RepoRef.resolve(repo_id, [only: :dataset] ++ opts), do: names_of(ref, opts)
  end

  @doc "Returns the names of the splits of a configuration."
  @spec splits(HfHub.repo(), keyword()) :: {:ok, [String.t()]} | {:error, Error.t()}
  def splits(repo_id, opts) do
    with {:ok, ref} <- RepoRef.resolve(repo_id, [only: :dataset] ++ opts),
         {:ok, []} <- first_of(ref, opts, &chosen/2, &splits_of(&1, opts[:config])),
         do: no_splits(ref, opts)
  end

  defp names_of(ref, opts),
    do: first_of(ref, opts, &card/2, fn layout -> for {config, _splits} <- layout, do: config end)

  defp splits_of(layout, config) do
    case List.keyfind(layout, config || default(layout), 0) do
      {_config, splits} -> splits
      nil -> []
    end
  end

  # A dataset without data has no splits; a configuration that no source has is a mistake of the caller.
  defp no_splits(ref, opts) do
    config = opts[:config]

    with false <- config == nil, {:ok, names} <- names_of(ref, opts), false <- config in names do
      Place.missing({:hub, ref}, "configuration", config, names)
    else
      true -> {:ok, []}
      error -> error
    end
  end

  @doc "Returns the layout in a card's metadata."
  @spec from_card(term()) :: t()
  def from_card(%{} = card) do
    infos = for info <- List.wrap(card["dataset_info"]), is_map(info), do: info
    known = for info <- infos, do: {text(info["config_name"]) || "default", names(info["splits"])}

    case for config <- objects(card["configs"]), name = text(config["config_name"]), do: {name, config} do
      [] -> if infos == [], do: named(card["dataset_config_names"]), else: known
      configs -> for {name, config} <- configs, do: {name, data_splits(config, List.keyfind(known, name, 0))}
    end
  end

  def from_card(_none), do: []

  @doc "Returns the layout in a `dataset_infos.json`."
  @spec from_infos(term()) :: t()
  def from_infos(%{} = infos) do
    for {config, %{} = info} <- Enum.sort(infos), do: {config, Enum.sort(names(info["splits"]))}
  end

  def from_infos(_other), do: []

  @doc "Returns the layout in a response of the dataset viewer."
  @spec from_viewer(term()) :: t()
  def from_viewer(%{"splits" => splits}) do
    pairs =
      for s <- objects(splits), config = text(s["config"]), split = text(s["split"]), do: {config, split}

    configs = Enum.uniq(for {config, _split} <- pairs, do: config)
    for config <- configs, do: {config, for({^config, split} <- pairs, do: split)}
  end

  def from_viewer(_other), do: []

  defp first_of(ref, opts, card, pick) do
    sources = if ref.path, do: [&below/2], else: [card, &infos/2, &viewer/2, &tree/2]

    Enum.reduce_while(sources, {:ok, []}, fn source, nothing ->
      case source.(ref, opts) do
        {:ok, layout} -> if (found = pick.(layout)) == [], do: {:cont, nothing}, else: {:halt, {:ok, found}}
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
  end

  defp card(ref, opts), do: with({:ok, data} <- card_data(ref, opts), do: {:ok, from_card(data)})

  # The configurations of the card, or the wanted one only if the card lists it.
  defp chosen(ref, opts) do
    with {:ok, data} <- card_data(ref, opts),
         :ok <- Place.check_card({:hub, ref}, data, opts[:config]) do
      layout = from_card(data)
      about = Patterns.about(data, opts[:config])
      {:ok, if(about, do: [List.keyfind(layout, about["config_name"], 0)], else: layout)}
    end
  end

  defp card_data(ref, opts),
    do: with({:ok, info} <- Api.dataset_info(RepoRef.again(ref), at(ref, opts)), do: {:ok, info.card_data})

  defp infos(ref, opts) do
    Request.repo(:get, "/datasets/*repo/resolve/:revision/*path", ref, opts, path: "dataset_infos.json")
    |> Request.parse()
    |> Request.run(&from_infos/1)
    # The file may be missing, stored in LFS, or not JSON; the next source is then used.
    |> or_nothing([:entry_not_found, :invalid_response])
  end

  # The viewer supports the default branch only. The token is not sent to its host.
  defp viewer(%{revision: revision}, _opts) when revision not in [nil, "main"], do: {:ok, []}

  defp viewer(ref, opts) do
    opts = RepoRef.network(ref, opts)
    opts = if viewer = Viewer.host(opts), do: Keyword.merge(opts, endpoint: viewer, token: false), else: opts

    Request.new(:get, "/splits", [], Keyword.put(opts, :retries, 0))
    |> Request.query(dataset: ref.repo_id)
    |> Request.run(&from_viewer/1)
    |> or_nothing(:any)
  end

  # A folder in the reference is a dataset of its own, without the card.
  defp below(ref, opts) do
    with {:ok, entries} <- listed(ref, opts) do
      {entries, card} = Selection.within(entries, nil, ref.path)
      splits = for {split, _files} <- Selection.splits(entries, card, nil), do: split
      {:ok, if(splits == [], do: [], else: [{"default", splits}])}
    end
  end

  defp tree(ref, opts) do
    with {:ok, entries} <- listed(ref, opts) do
      configs = DatasetFiles.configs_from_tree(entries)
      {:ok, for(config <- configs, do: {config, DatasetFiles.splits_from_tree(entries, config)})}
    end
  end

  @doc "Returns the listing of a dataset. The options are those of every call to a Hub."
  @spec listed(RepoRef.t(), keyword()) :: {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def listed(ref, opts),
    do: Api.list_repo_tree(RepoRef.again(ref), [repo_type: :dataset, recursive: true] ++ at(ref, opts))

  @doc "Returns the options of requests for a resolved reference: its revision, and those of every call to a Hub."
  @spec at(RepoRef.t(), keyword()) :: keyword()
  def at(ref, opts),
    do: Options.given([revision: ref.revision] ++ Keyword.take(opts, Keyword.keys(Options.common())))

  defp or_nothing({:ok, layout}, _kinds), do: {:ok, layout}
  defp or_nothing({:error, _error}, :any), do: {:ok, []}

  defp or_nothing({:error, error}, kinds),
    do: if(error.kind in kinds, do: {:ok, []}, else: {:error, error})

  defp default(layout) do
    if List.keymember?(layout, "default", 0),
      do: "default",
      else: List.first(for {config, _splits} <- layout, do: config)
  end

  defp data_splits(config, known) do
    from_files = for {split, _patterns} <- Patterns.by_split(config["data_files"]), do: split

    case {from_files, known} do
      {[], {_name, [_ | _] = splits}} -> splits
      {splits, _known} -> Enum.uniq(splits)
    end
  end

  defp named(names), do: for(name <- List.wrap(names), is_binary(name), do: {name, []})

  # `[%{"name" => "train"}]`, or an object by name.
  defp names(%{} = by_name), do: Map.keys(by_name)
  defp names(list), do: for(item <- objects(list), name = text(item["name"]), do: name)

  defp objects(list) when is_list(list), do: Enum.filter(list, &is_map/1)
  defp objects(_other), do: []

  defp text(value), do: if(is_binary(value), do: value)
end
