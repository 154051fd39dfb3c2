defmodule HfHub.DatasetFiles.Patterns do
  # Which files a card says are of a split: `configs: [{config_name, data_dir, data_files: [{split, path}]}]`,
  # where a path is a pattern or a list of them. `*` stays within a folder, `**` does not.
  @moduledoc false

  alias HfHub.DatasetFiles.Formats

  @typedoc """
  What a card says of a configuration: patterns by split; the folder in which names tell; or nothing.
  """
  @type t :: {:splits, [{String.t(), [String.t()]}]} | {:folder, String.t()} | nil

  @doc "Returns what a card says of a configuration; `nil` is the default one."
  @spec from_card(term(), String.t() | nil) :: t()
  def from_card(%{"configs" => configs}, config) when is_list(configs) do
    wanted = if config in [nil, ""], do: default(configs), else: config

    case Enum.find(configs, &match?(%{"config_name" => ^wanted}, &1)) do
      nil -> nil
      config -> said(config, folder(config["data_dir"]))
    end
  end

  def from_card(_none, _config), do: nil

  @doc "Returns the files that one of the patterns means."
  @spec files([String.t()], [String.t()]) :: [String.t()]
  def files(paths, patterns) do
    compiled = for pattern <- patterns, {:ok, regex} <- [compile(pattern)], do: {regex, pattern}
    found = Enum.filter(paths, fn path -> Enum.any?(compiled, &means?(&1, path)) end)
    # A card may name files of a format that is not known here.
    if (data = Formats.data(found)) == [], do: found, else: data
  end

  @doc "Returns the patterns of a configuration's `data_files` by split; those that name no split are `train`."
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

  defp said(config, folder) do
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

  # Hidden files and folders such as `__pycache__` are meant only where a pattern has as many of them.
  defp means?({regex, pattern}, path) do
    path =~ regex and hidden(path) == hidden(pattern) and special(path) == special(pattern)
  end

  defp hidden(path),
    do: Enum.count(String.split(path, "/"), &(String.starts_with?(&1, ".") and &1 not in [".", ".."]))

  defp special(path),
    do: path |> String.split("/") |> Enum.drop(-1) |> Enum.count(&String.starts_with?(&1, "__"))

  # A pattern comes from a stranger: it becomes a regular expression that cannot run away, and a long one none.
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

  # In a pattern, neither character has a meaning within brackets.
  defp escape(set), do: String.replace(set, ["\\", "^"], &("\\" <> &1))
end
