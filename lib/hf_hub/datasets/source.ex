defmodule HfHub.Datasets.Source do
  # Finds the files of a split, in a repository or a folder, and downloads them unless they are streamed.
  @moduledoc false

  alias HfHub.Api.TreeEntry
  alias HfHub.DatasetFiles.{Layout, Patterns, Place, Selection}
  alias HfHub.Datasets.{Listing, Rows}
  alias HfHub.{DatasetFiles, Error, RepoRef}

  # Formats by extension, as `datasets` has them.
  @formats for {format, endings} <- [
                 parquet: ~w(parquet geoparquet gpq),
                 csv: ~w(csv),
                 tsv: ~w(tsv),
                 json: ~w(json jsonl ndjson)
               ],
               ending <- endings,
               into: %{},
               do: {ending, format}

  @converted "refs/convert/parquet"

  # Options of the readers of `datasets` in a card that change what a row is.
  @reader ~w(column_names names header index_col usecols true_values false_values skipinitialspace skiprows skipfooter
             nrows na_values keep_default_na na_filter thousands decimal lineterminator quotechar quoting doublequote
             escapechar comment encoding dialect on_bad_lines skip_blank_lines field)

  @type t :: %{
          place: Place.t(),
          entries: [{TreeEntry.t(), atom(), boolean()}],
          delimiter: byte() | nil
        }

  @doc "Finds the files of the wanted split, each with its format and whether it is compressed."
  @spec files(HfHub.repo() | {:local, Path.t()}, keyword()) :: {:ok, t()} | {:error, Error.t()}
  def files(dataset, opts) do
    opts = if opts[:converted], do: Keyword.put(opts, :revision, opts[:revision] || @converted), else: opts

    with {:ok, place, tree, card} <- Listing.list(dataset, opts),
         {:ok, splits} <- splits(place, tree, card, opts),
         {:ok, paths} <- split(place, splits, opts[:split]),
         {:ok, formats} <- formats(place, paths),
         {:ok, delimiter} <- delimiter(place, formats, Patterns.about(card, opts[:config])) do
      entries = Map.new(tree, &{&1.path, &1})
      entries = for {path, format, gzip} <- formats, do: {entries[path], format, gzip}
      {:ok, %{place: place, entries: entries, delimiter: delimiter}}
    end
  end

  @doc "Returns what `HfHub.Datasets.Rows` reads, after the files were downloaded unless they are streamed."
  @spec spec(t(), keyword()) :: {:ok, Rows.spec()} | {:error, Error.t()}
  def spec(%{place: place, entries: entries, delimiter: delimiter}, opts) do
    with {:ok, folder} <- folder(place, entries, opts),
         {:ok, hub} <- Place.hub(place, opts) do
      files =
        for {entry, format, gzip} <- entries do
          %{
            name: entry.path,
            format: format,
            gzip: gzip,
            delimiter: delimiter,
            path: folder && Path.join(folder, entry.path),
            place: if(folder == nil, do: RepoRef.to_native(elem(place, 1))),
            size: entry.size
          }
        end

      columns = if opts[:columns], do: Enum.uniq(opts[:columns])
      job = %{hub: hub, files: files, columns: columns, limit: opts[:limit]}

      {:ok,
       %{job: job, about: Map.merge(Place.about(place, hub), %{split: opts[:split], files: length(files)})}}
    end
  end

  defp splits(place, tree, card, opts) do
    config = opts[:config]
    listed = for {name, _splits} <- Layout.from_card(card), do: name

    configs = if card["configs"] && listed != [], do: listed, else: DatasetFiles.configs_from_tree(tree)

    with :ok <- Place.check_card(place, card, config) do
      cond do
        config not in [nil, "default"] and config not in configs ->
          Place.missing(place, "configuration", config, configs)

        opts[:converted] ->
          converted(place, tree, config || converted_default(configs))

        true ->
          listed(place, tree, card, opts)
      end
    end
  end

  defp listed(place, tree, card, opts) do
    case Patterns.missing(card, opts[:config], opts[:split], Selection.files(tree)) do
      [] ->
        {:ok, Selection.splits(tree, card, opts[:config])}

      missing ->
        message = "#{Place.shown(place)} has no files #{Place.list(missing)}, which its card lists"
        Place.error(:entry_not_found, message, place)
    end
  end

  # The default configuration is converted to `default/train/0000.parquet`; a split that is too large to
  # `default/partial-train/0000.parquet`.
  defp converted(place, tree, config) do
    files = Selection.below(Selection.files(tree), config <> "/")

    case Enum.group_by(files, &(&1 |> Path.dirname() |> String.replace_prefix("partial-", ""))) do
      splits when splits == %{} -> nothing(place)
      splits -> {:ok, for({split, files} <- splits, do: {split, Enum.map(files, &(config <> "/" <> &1))})}
    end
  end

  defp converted_default(configs),
    do: if("default" in configs, do: "default", else: List.first(configs) || "default")

  defp split(place, [], _split), do: nothing(place)
  defp split(_place, [{_only, paths}], nil), do: {:ok, paths}

  defp split(place, splits, split) do
    names = for {name, _paths} <- splits, do: name

    case List.keyfind(splits, split, 0) do
      {_name, paths} ->
        {:ok, paths}

      nil when split == nil ->
        message =
          "#{Place.shown(place)} has the splits #{Place.list(names)}; choose one with the option :split"

        Place.error(:bad_request, message, place)

      nil ->
        Place.missing(place, "split", split, names)
    end
  end

  defp nothing(place) do
    message =
      "#{Place.shown(place)} has no files with rows: none ends with .parquet, .csv, .tsv, .json or .jsonl"

    Place.error(:entry_not_found, message, place)
  end

  defp formats(place, paths) do
    formats = for path <- paths, do: Tuple.insert_at(format(path), 0, path)

    case Enum.uniq(for {_path, format, _gzip} <- formats, do: format) do
      [format] when format != nil ->
        {:ok, formats}

      known ->
        unknown = for {path, nil, _gzip} <- formats, do: path

        message =
          if unknown == [],
            do: "the files of the split have several formats: #{Enum.join(known, ", ")}",
            else: "the format of `#{hd(unknown)}` is not supported; formats are Parquet, CSV, TSV and JSON"

        Place.error(:bad_request, message, place)
    end
  end

  # Other rows than those of `datasets` would be worse than an error.
  defp delimiter(_place, [{_path, :parquet, _gzip} | _more], _about), do: {:ok, nil}
  defp delimiter(_place, _formats, nil), do: {:ok, nil}

  defp delimiter(place, _formats, about) do
    case {Enum.find(@reader, &is_map_key(about, &1)), about["delimiter"] || about["sep"]} do
      {nil, nil} -> {:ok, nil}
      {nil, <<byte>>} when byte < 128 -> {:ok, byte}
      {nil, "\\t"} -> {:ok, ?\t}
      {name, _other} -> unreadable(place, name || "sep")
    end
  end

  defp unreadable(place, name) do
    message =
      "the card of #{Place.shown(place)} sets `#{name}` for the reader of the files, which is not supported"

    Place.error(:bad_request, message, place)
  end

  defp format(path) do
    gzip? = String.ends_with?(path, ".gz")
    ending = path |> String.replace_suffix(".gz", "") |> Path.extname() |> String.trim_leading(".")
    format = @formats[ending]
    if gzip? and format == :parquet, do: {nil, true}, else: {format, gzip?}
  end

  defp folder({:local, _path, folder}, _entries, _opts), do: {:ok, folder}
  defp folder({:hub, _ref}, _entries, _opts), do: {:ok, nil}

  defp folder({:cache, ref, _known}, entries, opts),
    do: Listing.download(ref, for({entry, _format, _gzip} <- entries, do: entry.path), opts)
end
