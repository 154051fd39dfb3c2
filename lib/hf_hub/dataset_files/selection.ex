defmodule HfHub.DatasetFiles.Selection do
  # The splits of a configuration with their files: by the card, else by the names of the files.
  @moduledoc false

  alias HfHub.Api.TreeEntry
  alias HfHub.DatasetFiles.{Patterns, Splits}

  @doc "Returns the splits of a configuration that have files; `nil` is the default configuration."
  @spec splits([TreeEntry.t()], term(), String.t() | nil) :: Splits.t()
  def splits(tree, card, config) do
    case Patterns.from_card(card, config) do
      {:splits, splits} -> by_patterns(files(tree), splits)
      {:folder, folder} -> in_folder(folder, below(files(tree), folder))
      nil -> by_names(tree, config)
    end
  end

  @doc """
  Returns the listing and the card of what a reference contains. A folder in it is the dataset then, without the card, as
  `data_dir` in Python; a file is all of it.
  """
  @spec within([TreeEntry.t()], term(), String.t() | nil) :: {[TreeEntry.t()], term()}
  def within(tree, card, nil), do: {tree, card}

  def within(tree, _card, path) do
    case Enum.filter(tree, &(&1.type == :file and &1.path == path)) do
      [] -> {tree, %{"configs" => [%{"config_name" => "default", "data_dir" => path}]}}
      file -> {file, nil}
    end
  end

  @doc "Returns the splits of a configuration by the names of the files."
  @spec by_names([TreeEntry.t()], String.t() | nil) :: Splits.t()
  def by_names(tree, config) do
    {folder, paths} = of_config(tree, config)
    in_folder(folder, paths)
  end

  @doc "Returns the folder of a configuration and the paths in it; without such a folder, those of the repository."
  @spec of_config([TreeEntry.t()], String.t() | nil) :: {String.t(), [String.t()]}
  def of_config(tree, config) when config not in [nil, "", "default"] do
    paths = files(tree)
    folder = config <> "/"

    case below(paths, folder) do
      [] -> {"", paths}
      below -> {folder, below}
    end
  end

  def of_config(tree, _default), do: {"", files(tree)}

  @doc "Returns the paths below a folder, relative to it."
  @spec below([String.t()], String.t()) :: [String.t()]
  def below(paths, folder) do
    for path <- paths, String.starts_with?(path, folder), do: String.replace_prefix(path, folder, "")
  end

  @doc "Returns the sorted paths of the files in a listing."
  @spec files([TreeEntry.t()]) :: [String.t()]
  def files(tree), do: for(%{type: :file, path: path} <- tree, do: path) |> Enum.uniq() |> Enum.sort()

  defp in_folder(folder, paths),
    do: for({split, files} <- Splits.of(paths), do: {split, Enum.map(files, &(folder <> &1))})

  # A card may have several entries of a split.
  defp by_patterns(paths, splits) do
    for split <- splits |> Enum.map(&elem(&1, 0)) |> Enum.uniq(),
        patterns = for({^split, patterns} <- splits, pattern <- patterns, do: pattern),
        files = Patterns.files(paths, patterns),
        files != [],
        do: {split, files}
  end
end
