defmodule HfHub.DatasetFiles.Patterns do
  # Which files a card says are of a split: `configs: [{config_name, data_files: [{split, path}]}]`, where
  # a path is a pattern or a list of them. `*` stays within a folder, `**` does not.
  @moduledoc false

  @doc "Returns the patterns of a split; none where the card says nothing."
  @spec from_card(term(), String.t() | nil, String.t()) :: [Regex.t()]
  def from_card(%{"configs" => configs}, config, split) when is_list(configs) do
    wanted = if config in [nil, ""], do: default(configs), else: config

    for %{"config_name" => ^wanted, "data_files" => files} <- configs,
        pattern <- patterns(files, split),
        {:ok, regex} <- [compile(pattern)],
        do: regex
  end

  def from_card(_none, _config, _split), do: []

  defp default(configs) do
    names = for %{"config_name" => name} <- configs, do: name
    marked = for %{"config_name" => name, "default" => true} <- configs, do: name
    List.first(marked) || if("default" in names, do: "default", else: List.first(names))
  end

  defp patterns([%{} | _] = files, split) do
    for %{"split" => ^split, "path" => path} <- files,
        pattern <- List.wrap(path),
        is_binary(pattern),
        do: pattern
  end

  # Without splits, all of them are the first one.
  defp patterns(files, "train"), do: for(pattern <- List.wrap(files), is_binary(pattern), do: pattern)
  defp patterns(_files, _split), do: []

  # A pattern comes from a stranger: it becomes a regular expression that cannot run away, and a long one none.
  defp compile(pattern) when byte_size(pattern) <= 500 do
    pattern = String.trim_leading(pattern, "./")

    source =
      Regex.replace(~r/\*\*\/|\*\*|\*|\?|\[[^\]\/]+\]|./s, pattern, fn
        "**/" -> "(?:.*/)?"
        "**" -> ".*"
        "*" -> "[^/]*"
        "?" -> "[^/]"
        "[!" <> set -> "[^" <> set
        "[" <> _ = set -> set
        char -> Regex.escape(char)
      end)

    Regex.compile("\\A#{source}\\z", "u")
  end

  defp compile(_pattern), do: :error
end
