defmodule HfHub.Datasets.Source do
  # Finds the files of a split, in a repository or a folder, and downloads them unless they are streamed.
  @moduledoc false

  alias HfHub.Api.TreeEntry
  alias HfHub.DatasetFiles.{Layout, Selection}
  alias HfHub.Native.Hub
  alias HfHub.{Api, DatasetFiles, Download, Error, Fnmatch, Options, RepoRef}

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

  @typep place :: {:folder, Path.t()} | {:hub, RepoRef.t()}
  @type t :: %{place: place(), entries: [{TreeEntry.t(), atom(), boolean()}]}

  @doc "Finds the files of the wanted split, each with its format and whether it is compressed."
  @spec files(HfHub.repo() | {:local, Path.t()}, keyword()) :: {:ok, t()} | {:error, Error.t()}
  def files(dataset, opts) do
    opts = if opts[:converted], do: Keyword.put(opts, :revision, opts[:revision] || @converted), else: opts

    with {:ok, place, tree, card} <- tree(dataset, opts),
         {:ok, splits} <- splits(place, tree, card, opts),
         {:ok, paths} <- split(place, splits, opts[:split]),
         {:ok, formats} <- formats(place, paths) do
      entries = Map.new(tree, &{&1.path, &1})
      {:ok, %{place: place, entries: for({path, format, gzip} <- formats, do: {entries[path], format, gzip})}}
    end
  end

  @doc "Returns the inputs of the engine, after the files were downloaded unless they are streamed."
  @spec spec(t(), keyword()) :: {:ok, map()} | {:error, Error.t()}
  def spec(%{place: place, entries: entries}, opts) do
    with {:ok, folder} <- folder(place, entries, opts),
         {:ok, hub} <- hub(place, opts) do
      files =
        for {entry, format, gzip} <- entries do
          %{
            name: entry.path,
            format: format,
            gzip: gzip,
            path: folder && Path.join(folder, entry.path),
            place: if(folder == nil, do: RepoRef.to_native(elem(place, 1))),
            size: entry.size
          }
        end

      columns = if opts[:columns], do: Enum.uniq(opts[:columns])
      {:ok, %{hub: hub, files: files, columns: columns, limit: opts[:limit]}}
    end
  end

  defp hub({:hub, ref}, opts), do: Hub.config(RepoRef.network(ref, opts))
  defp hub({:folder, _path}, opts), do: Hub.config(Keyword.put(opts, :token, false))

  defp tree({:local, path}, _opts) when is_binary(path) do
    path = Path.expand(path)

    cond do
      File.dir?(path) -> {:ok, {:folder, path}, below(path), nil}
      File.exists?(path) -> {:ok, {:folder, Path.dirname(path)}, [entry(Path.dirname(path), path)], nil}
      true -> {:error, Error.new(:entry_not_found, "`#{path}` does not exist", path: path)}
    end
  end

  defp tree(dataset, opts) do
    with {:ok, ref} <- RepoRef.resolve(dataset, [only: :dataset] ++ opts),
         {:ok, info} <- Api.dataset_info(RepoRef.again(ref), Layout.at(ref, opts)),
         # Files are of the commit that the revision stands for now, whatever is pushed meanwhile.
         ref = %{ref | revision: info.sha || ref.revision},
         listing = [repo_type: :dataset, recursive: true] ++ Layout.at(ref, opts),
         {:ok, tree} <- Api.list_repo_tree(RepoRef.again(ref), listing) do
      {:ok, {:hub, ref}, tree, if(not opts[:converted], do: info.card_data)}
    end
  end

  defp below(folder) do
    # The folder is not part of the pattern: its own name may have `[` or `*`. Hidden files are no data.
    for name <- :filelib.wildcard(~c"**", String.to_charlist(folder)),
        name = List.to_string(name),
        not Enum.any?(Path.split(name), &String.starts_with?(&1, ".")),
        path = Path.join(folder, name),
        File.regular?(path),
        do: entry(folder, path)
  end

  defp entry(folder, path),
    do: %TreeEntry{type: :file, path: Path.relative_to(path, folder), size: File.stat!(path).size}

  defp splits(place, tree, card, opts) do
    config = opts[:config]
    listed = for {name, _splits} <- Layout.from_card(card), do: name

    configs = if card["configs"] && listed != [], do: listed, else: DatasetFiles.configs_from_tree(tree)

    cond do
      config not in [nil, "default"] and config not in configs ->
        missing(place, "configuration #{inspect(config)}", "configurations", configs)

      opts[:converted] ->
        converted(place, tree, config || converted_default(configs))

      true ->
        {:ok, Selection.splits(tree, card, config)}
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
        message = "#{shown(place)} has the splits #{list(names)}; choose one with the option :split"
        {:error, error(:bad_request, message, place)}

      nil ->
        missing(place, "split #{inspect(split)}", "splits", names)
    end
  end

  defp missing(place, what, all, names),
    do:
      {:error,
       error(:entry_not_found, "#{shown(place)} has no #{what}; its #{all} are #{list(names)}", place)}

  defp nothing(place) do
    message = "#{shown(place)} has no files with rows: none ends with .parquet, .csv, .tsv, .json or .jsonl"
    {:error, error(:entry_not_found, message, place)}
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

        {:error, error(:bad_request, message, place)}
    end
  end

  defp format(path) do
    gzip? = String.ends_with?(path, ".gz")
    ending = path |> String.replace_suffix(".gz", "") |> Path.extname() |> String.trim_leading(".")
    format = @formats[ending]
    if gzip? and format == :parquet, do: {nil, true}, else: {format, gzip?}
  end

  defp folder({:folder, path}, _entries, _opts), do: {:ok, path}

  defp folder({:hub, ref}, entries, opts) do
    if opts[:stream] do
      {:ok, nil}
    else
      patterns = for {entry, _format, _gzip} <- entries, do: Fnmatch.literal(entry.path)
      transfer = [:cache_dir, :progress | Keyword.keys(Options.transfer())] -- [:max_connections]

      Download.snapshot_download(
        [repo_id: RepoRef.again(ref), repo_type: :dataset, revision: ref.revision, allow_patterns: patterns] ++
          Options.given(Keyword.take(opts, transfer))
      )
    end
  end

  defp error(kind, message, {:hub, ref}),
    do: Error.new(kind, message, repo_id: ref.repo_id, revision: ref.revision)

  defp error(kind, message, {:folder, path}), do: Error.new(kind, message, path: path)

  defp shown({:hub, ref}), do: "dataset #{inspect(ref.repo_id)}"
  defp shown({:folder, path}), do: "`#{path}`"

  defp list(names), do: Enum.map_join(names, ", ", &inspect/1)
end
