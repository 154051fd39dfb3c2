defmodule HfHub.DatasetFiles do
  @moduledoc """
  Which files of a dataset belong to a configuration and a split.

      {:ok, paths} = HfHub.DatasetFiles.resolve("rajpurkar/squad", "plain_text", "train")
      #=> {:ok, ["plain_text/train-00000-of-00001.parquet"]}

  Where a dataset's card says which files those are, it is believed. Else the names of the files tell:
  a folder at the top is a configuration, unless it is called `data` or like a split, and a file is of
  the split that its name begins with.
  """

  alias HfHub.Api.TreeEntry
  alias HfHub.DatasetFiles.Patterns
  alias HfHub.{Api, Error, Options, RepoRef}

  @options [
             repo_type: [
               type: :repo_type,
               default: :dataset,
               doc: "what an id alone stands for."
             ]
           ] ++ Options.revision() ++ Options.common()

  @endings ~w(.parquet .jsonl .json .csv .tsv .arrow .txt .zip .tar.gz .tgz .tar.xz .tar .gz)
  @splits ~w(train test validation valid val dev eval)

  @doc """
  Returns the paths of a configuration's files of a split, sorted. `nil` as configuration is the default one.

  That there are none is an error of kind `:entry_not_found`.

  ## Options

  #{Options.docs(@options)}

  ## Examples

      {:ok, paths} = HfHub.DatasetFiles.resolve("nyu-mll/glue", "mrpc", "validation")
  """
  @spec resolve(term(), String.t() | nil, String.t(), keyword()) :: {:ok, [String.t()]} | {:error, Error.t()}
  def resolve(repo_id, config, split, opts \\ []) do
    opts = Options.validate!(opts, @options)

    unless is_binary(split) and (config == nil or is_binary(config)) do
      raise ArgumentError, "expected a configuration and a split as strings, got: #{inspect({config, split})}"
    end

    with {:ok, ref} <- RepoRef.resolve(repo_id, opts),
         at = [revision: ref.revision] ++ Keyword.take(opts, Keyword.keys(Options.common())),
         at = Enum.reject(at, fn {_name, value} -> value == nil end),
         {:ok, tree} <- Api.list_repo_tree(ref.repo_id, [repo_type: ref.repo_type, recursive: true] ++ at),
         {:ok, card} <- card(ref, at) do
      case named(tree, Patterns.from_card(card, config, split)) do
        [] -> found(resolve_from_tree(tree, config, split), ref, config, split)
        paths -> {:ok, paths}
      end
    end
  end

  @doc "Same as `resolve/4`, but returns the paths or raises `HfHub.Error`."
  @spec resolve!(term(), String.t() | nil, String.t(), keyword()) :: [String.t()]
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
    paths = data_files(tree)

    case of_split(paths, prefix(config), split) do
      [] -> of_split(paths, "", split)
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
    do: tree |> data_files() |> Enum.map(&config_of/1) |> Enum.uniq() |> Enum.sort()

  @doc """
  Returns the splits of a configuration that the names of the files in a tree speak of, sorted.

  ## Examples

      iex> tree = [%HfHub.Api.TreeEntry{type: :file, path: "en/train.csv"}, %HfHub.Api.TreeEntry{type: :file, path: "en/dev.csv"}]
      iex> HfHub.DatasetFiles.splits_from_tree(tree, "en")
      ["dev", "train"]
  """
  @spec splits_from_tree([TreeEntry.t()], String.t() | nil) :: [String.t()]
  def splits_from_tree(tree, config) do
    paths = data_files(tree)
    Enum.sort(for split <- @splits, of_split(paths, prefix(config), split) != [], do: split)
  end

  defp card(%{repo_type: :dataset} = ref, at) do
    with {:ok, info} <- Api.dataset_info(ref.repo_id, at), do: {:ok, info.card_data}
  end

  defp card(_ref, _at), do: {:ok, nil}

  defp named(_tree, []), do: []

  defp named(tree, patterns) do
    for(%{path: path} <- files(tree), Enum.any?(patterns, &(path =~ &1)), do: path) |> Enum.sort()
  end

  defp found([], ref, config, split) do
    message = "#{ref.repo_id} has no files of the split #{inspect(split)} of #{inspect(config || "default")}"
    {:error, Error.new(:entry_not_found, message, repo_id: ref.repo_id, revision: ref.revision)}
  end

  defp found(paths, _ref, _config, _split), do: {:ok, paths}

  defp of_split(paths, prefix, split) do
    for path <- paths, name = below(path, prefix), of_split?(name, split), do: path
  end

  defp below(path, prefix) do
    if String.starts_with?(path, prefix),
      do: path |> String.replace_prefix(prefix, "") |> String.replace_prefix("data/", "")
  end

  defp of_split?(name, split),
    do: name == split or Enum.any?(["-", ".", "/"], &String.starts_with?(name, split <> &1))

  defp prefix(config), do: if(config in [nil, "", "default"], do: "", else: config <> "/")

  defp config_of(path) do
    case String.split(path, "/", parts: 2) do
      [folder, _rest] when folder != "data" and folder not in @splits -> folder
      _top -> "default"
    end
  end

  defp data_files(tree) do
    for(%{path: path} <- files(tree), String.ends_with?(path, @endings), do: path)
    |> Enum.uniq()
    |> Enum.sort()
  end

  defp files(tree), do: Enum.filter(tree, &(&1.type == :file))
end
