defmodule HfHub.DatasetFiles.Patterns do
  # The files of a split by the card's `configs: [{config_name, data_dir, data_files: [{split, path}]}]`,
  # where a path is a pattern or a list of patterns. `*` does not match `/`, `**` does.
  @moduledoc false

  alias HfHub.DatasetFiles.Formats

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

  defp default(configs) do
    names = for %{"config_name" => name} <- configs, do: name
    marked = for %{"config_name" => name, "default" => true} <- configs, do: name
    List.first(marked) || if("default" in names, do: "default", else: List.first(names))
  end

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
