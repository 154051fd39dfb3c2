defmodule HfHub.DatasetFiles.Patterns do
  # The files of a split by the card's `configs: [{config_name, data_dir, data_files: [{split, path}]}]`,
  # where a path is a pattern or a list of patterns. `*` does not match `/`, `**` does.
  @moduledoc false

  alias HfHub.DatasetFiles.Formats
  alias HfHub.Fnmatch

  @typedoc """
  A configuration in a card: patterns by split, or the folder whose file names determine the splits; `nil` if the card
  does not list it.
  """
  @type t :: {:splits, [{String.t(), [String.t()]}]} | {:folder, String.t()} | nil

  @doc "Returns a configuration in a card; `nil` is the default configuration."
  @spec from_card(term(), String.t() | nil) :: t()
  def from_card(card, config) do
    with %{} = about <- about(card, config), do: in_card(about, folder(about["data_dir"]))
  end

  @doc "Returns the entry of a configuration in a card, `nil` if it does not list it."
  @spec about(term(), String.t() | nil) :: map() | nil
  def about(%{"configs" => configs}, config) when is_list(configs) do
    wanted = if config in [nil, ""], do: default(configs), else: config
    Enum.find(configs, &match?(%{"config_name" => ^wanted}, &1))
  end

  def about(_none, _config), do: nil

  @doc """
  Returns what is wrong with a card for `datasets`, or with it and no configuration; `nil` if nothing is. The card is the
  subject of the text.
  """
  @spec mistake(term(), String.t() | nil) :: String.t() | nil
  def mistake(%{"configs" => configs} = card, config) when configs not in [nil, []] do
    cond do
      not is_list(configs) ->
        "has configs that are not a list"

      not Enum.all?(configs, &match?(%{"config_name" => <<_name::binary>>}, &1)) ->
        "has an entry without a config_name in configs"

      config in [nil, ""] and default(configs) == nil ->
        "lists the configurations #{list(names(configs))}, and not one as the default; choose one with the option :config"

      about = about(card, config) ->
        with wrong when wrong != nil <- wrong(about["data_files"]),
             do: "has data_files of #{inspect(about["config_name"])} #{wrong}"

      true ->
        nil
    end
  end

  def mistake(_card, _config), do: nil

  defp wrong(files) when is_binary(files) or files == nil, do: nil
  defp wrong(%{} = by_split), do: if(Enum.any?(by_split, &(not path?(elem(&1, 1)))), do: no_files())

  defp wrong(files) when is_list(files) do
    splits = for %{"split" => split} <- files, do: split

    cond do
      not Enum.all?(files, &entry?/1) -> no_files()
      twice = List.first(splits -- Enum.uniq(splits)) -> "with several entries of the split #{inspect(twice)}"
      true -> nil
    end
  end

  defp wrong(_other), do: no_files()

  defp no_files, do: "that are neither a path, a list of paths nor a list of entries with a split and a path"

  defp path?(path), do: is_binary(path) or (is_list(path) and Enum.all?(path, &is_binary/1))

  defp entry?(%{"split" => split, "path" => path} = entry),
    do: map_size(entry) == 2 and is_binary(split) and path?(path)

  defp entry?(path), do: is_binary(path)

  defp list(names), do: Enum.map_join(names, ", ", &inspect/1)

  @doc "Returns the paths that a configuration of a card lists for a split, or for all if it is `nil`, and that do not exist."
  @spec missing(term(), String.t() | nil, String.t() | nil, [String.t()]) :: [String.t()]
  def missing(card, config, split, paths) do
    with {:splits, splits} <- from_card(card, config) do
      listed = for {name, patterns} <- splits, split in [nil, name], pattern <- patterns, do: pattern
      literal = MapSet.new(paths)
      found? = &if(Fnmatch.pattern?(&1), do: files(paths, [&1]) != [], else: &1 in literal)
      missing = Enum.reject(listed, found?)
      if missing == listed, do: missing, else: Enum.reject(missing, &Fnmatch.pattern?/1)
    else
      _by_names -> []
    end
  end

  @doc "Returns the files that match a pattern, in the order of the patterns; more than once if several match, as `datasets`."
  @spec files([String.t()], [String.t()]) :: [String.t()]
  def files(paths, patterns) do
    found =
      for pattern <- patterns,
          {:ok, regex} <- [compile(pattern)],
          path <- paths,
          matches?(regex, pattern, path),
          do: path

    # A card may list files of a format that is not known here.
    if (data = Formats.data(found)) == [], do: found, else: data
  end

  @doc "Returns the patterns of a configuration's `data_files` by split; those without a split are `train`."
  @spec by_split(term()) :: [{String.t(), [String.t()]}]
  def by_split(%{} = files), do: for({split, path} <- files, is_binary(split), do: {split, texts(path)})

  def by_split([%{} | _] = files),
    do: for(%{"split" => split, "path" => path} <- files, is_binary(split), do: {split, texts(path)})

  def by_split(files), do: if((patterns = texts(files)) == [], do: [], else: [{"train", patterns}])

  # As `datasets`, which does not choose one of several, either.
  defp default(configs) do
    marked =
      for %{"config_name" => name} = about <- configs, name == "default" or about["default"] == true, do: name

    case {Enum.uniq(marked), names(configs)} do
      {[name], _names} -> name
      {[], [name]} -> name
      _several -> nil
    end
  end

  defp names(configs), do: for(%{"config_name" => name} <- configs, do: name)

  defp in_card(config, folder) do
    case by_split(config["data_files"]) do
      [] ->
        if folder != "", do: {:folder, folder}

      splits ->
        {:splits,
         for({split, patterns} <- splits, do: {split, Enum.map(patterns, &(folder <> relative(&1)))})}
    end
  end

  defp folder(dir) when is_binary(dir) do
    case dir |> relative() |> String.trim("/") do
      dir when dir in ["", "."] -> ""
      dir -> dir <> "/"
    end
  end

  defp folder(_none), do: ""

  defp relative(pattern), do: String.trim_leading(pattern, "./")

  defp texts(path), do: for(pattern <- List.wrap(path), is_binary(pattern), do: pattern)

  # Hidden files, and folders such as `__pycache__`, match only a pattern with equally many of them.
  defp matches?(regex, pattern, path) do
    path =~ regex and hidden(path) == hidden(pattern) and special(path) == special(pattern)
  end

  defp hidden(path),
    do: Enum.count(String.split(path, "/"), &(String.starts_with?(&1, ".") and &1 not in [".", ".."]))

  defp special(path),
    do: path |> String.split("/") |> Enum.drop(-1) |> Enum.count(&String.starts_with?(&1, "__"))

  # Patterns come from untrusted cards: long ones, which could take long to match, are ignored.
  defp compile(pattern) when byte_size(pattern) <= 500 do
    source =
      Regex.replace(~r/\*\*\/|\*\*|\*|\?|\[[^\]\/]+\]|./s, pattern, fn
        "**/" -> "(?:.*/)?"
        "**" -> ".*"
        "*" -> "[^/]*"
        "?" -> "[^/]"
        "[!" <> set -> "[^" <> escape(set)
        "[" <> set -> "[" <> escape(set)
        char -> Regex.escape(char)
      end)

    Regex.compile("\\A#{source}\\z", "us")
  end

  defp compile(_pattern), do: :error

  # In a glob, these characters are literal within brackets.
  defp escape(set), do: String.replace(set, ["\\", "^"], &("\\" <> &1))
end
