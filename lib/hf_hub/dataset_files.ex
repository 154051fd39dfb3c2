defmodule HfHub.DatasetFiles do
  @moduledoc """
  Which files of a dataset belong to a configuration and a split.

      {:ok, paths} = HfHub.DatasetFiles.resolve("rajpurkar/squad", "plain_text", "train")
      #=> {:ok, ["plain_text/train-00000-of-00001.parquet"]}

  Where a dataset's card names files or a folder for a configuration, those are its files. Elsewhere the
  names decide, by the rules of the `datasets` library, in this order:

  1. shards in `data/`: `data/train-00000-of-00002.parquet` is of the split `train`;
  2. folders called like a split: `train/a/1.jpg`, `my-test_2/x.csv`;
  3. files called like a split: `my_data_train.csv`;
  4. otherwise all files are of the split `train`.

  The names of splits are `train` and `training`; `validation`, `valid`, `dev` and `val`; `test`, `testing`,
  `eval` and `evaluation`, at the start of a name or between `-`, `.`, `_`, blanks and digits. Hidden files,
  folders such as `__pycache__`, files of other formats and `README.md`, `config.json` and the like are left out.

  A configuration that the card does not mention is the folder of that name; the default one is the whole
  repository.
  """

  alias HfHub.Api.TreeEntry
  alias HfHub.DatasetFiles.{Formats, Patterns, Splits}
  alias HfHub.{Api, Error, Options, RepoRef}

  @options [
             repo_type: [
               type: :repo_type,
               default: :dataset,
               doc: "what an id alone stands for."
             ]
           ] ++ Options.revision() ++ Options.common()

  @doc """
  Returns the paths of a configuration's files of a split, sorted. `nil` as configuration is the default one.

  A keyword such as `"dev"` returns the files of its split that are called so. Without any file the error has the
  kind `:entry_not_found`.

  ## Options

  #{Options.docs(@options)}

  ## Examples

      {:ok, paths} = HfHub.DatasetFiles.resolve("nyu-mll/glue", "mrpc", "validation")
  """
  @spec resolve(HfHub.repo(), String.t() | nil, String.t(), keyword()) ::
          {:ok, [String.t()]} | {:error, Error.t()}
  def resolve(repo_id, config, split, opts \\ []) do
    opts = Options.validate!(opts, @options)

    unless is_binary(split) and (config == nil or is_binary(config)) do
      raise ArgumentError,
            "expected a configuration and a split as strings, got: " <>
              "#{Options.shown(config)} and #{Options.shown(split)}"
    end

    with {:ok, ref} <- RepoRef.resolve(repo_id, opts),
         at = [revision: ref.revision] ++ Keyword.take(opts, Keyword.keys(Options.common())),
         at = Enum.reject(at, fn {_name, value} -> value == nil end),
         {:ok, tree} <- Api.list_repo_tree(ref.repo_id, [repo_type: ref.repo_type, recursive: true] ++ at),
         {:ok, card} <- card(ref, at) do
      case Patterns.from_card(card, config) do
        nil ->
          resolve_from_tree(tree, config, split)

        {:folder, folder} ->
          tree |> files() |> below(folder) |> of_split(folder, split)

        {:splits, splits} ->
          Patterns.files(files(tree), for({^split, patterns} <- splits, pattern <- patterns, do: pattern))
      end
      |> found(ref, config, split)
    end
  end

  @doc "Same as `resolve/4`, but returns the paths or raises `HfHub.Error`."
  @spec resolve!(HfHub.repo(), String.t() | nil, String.t(), keyword()) :: [String.t()]
  def resolve!(repo_id, config, split, opts \\ []), do: Error.unwrap!(resolve(repo_id, config, split, opts))

  @doc """
  Returns the paths in a tree that belong to a configuration and a split, by their names.

  ## Examples

      iex> tree = [%HfHub.Api.TreeEntry{type: :file, path: "data/train-00000-of-00001.parquet"}]
      iex> HfHub.DatasetFiles.resolve_from_tree(tree, "default", "train")
      ["data/train-00000-of-00001.parquet"]
  """
  @spec resolve_from_tree([TreeEntry.t()], String.t() | nil, String.t()) :: [String.t()]
  def resolve_from_tree(tree, config, split) do
    {folder, paths} = of_config(tree, config)

    # A configuration without files of the split may have them in the whole repository.
    case of_split(paths, folder, split) do
      [] -> tree |> files() |> of_split("", split)
      found -> found
    end
  end

  @doc """
  Returns the configurations that the names of the files in a tree speak of, sorted.

  ## Examples

      iex> tree = [%HfHub.Api.TreeEntry{type: :file, path: "en/train.csv"}, %HfHub.Api.TreeEntry{type: :file, path: "test.csv"}]
      iex> HfHub.DatasetFiles.configs_from_tree(tree)
      ["default", "en"]
  """
  @spec configs_from_tree([TreeEntry.t()]) :: [String.t()]
  def configs_from_tree(tree),
    do: tree |> files() |> Formats.data() |> Enum.map(&config_of/1) |> Enum.uniq() |> Enum.sort()

  @doc """
  Returns the splits of a configuration that the names of the files in a tree speak of, sorted.

  ## Examples

      iex> tree = [%HfHub.Api.TreeEntry{type: :file, path: "en/train.csv"}, %HfHub.Api.TreeEntry{type: :file, path: "en/dev.csv"}]
      iex> HfHub.DatasetFiles.splits_from_tree(tree, "en")
      ["train", "validation"]
  """
  @spec splits_from_tree([TreeEntry.t()], String.t() | nil) :: [String.t()]
  def splits_from_tree(tree, config) do
    {_folder, paths} = of_config(tree, config)
    Enum.sort(for {split, _files} <- Splits.of(paths), do: split)
  end

  defp card(%{repo_type: :dataset} = ref, at) do
    with {:ok, info} <- Api.dataset_info(ref.repo_id, at), do: {:ok, info.card_data}
  end

  defp card(_ref, _at), do: {:ok, nil}

  defp found([], ref, config, split) do
    message = "#{ref.repo_id} has no files of the split #{inspect(split)} of #{inspect(config || "default")}"
    {:error, Error.new(:entry_not_found, message, repo_id: ref.repo_id, revision: ref.revision)}
  end

  defp found(paths, _ref, _config, _split), do: {:ok, paths}

  # The paths of a configuration, relative to its folder. An unknown folder is the whole repository.
  defp of_config(tree, config) when config not in [nil, "", "default"] do
    paths = files(tree)
    folder = config <> "/"

    case below(paths, folder) do
      [] -> {"", paths}
      below -> {folder, below}
    end
  end

  defp of_config(tree, _default), do: {"", files(tree)}

  defp of_split(paths, folder, split), do: for(path <- Splits.files(paths, split), do: folder <> path)

  defp below(paths, folder) do
    for path <- paths, String.starts_with?(path, folder), do: String.replace_prefix(path, folder, "")
  end

  defp config_of(path) do
    case String.split(path, "/", parts: 2) do
      [folder, _rest] when folder != "data" -> if Splits.folder?(folder), do: "default", else: folder
      _top -> "default"
    end
  end

  defp files(tree), do: for(%{type: :file, path: path} <- tree, do: path) |> Enum.uniq() |> Enum.sort()
end
