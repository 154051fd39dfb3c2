defmodule HfHub.DatasetFiles do
  @moduledoc """
  Finds the files of a dataset that belong to a configuration and a split.

      {:ok, paths} = HfHub.DatasetFiles.resolve("rajpurkar/squad", "plain_text", "train")
      #=> {:ok, ["plain_text/train-00000-of-00001.parquet"]}

  If the dataset's card lists the files or the folder of a configuration, these are its files. Otherwise files are
  assigned to splits by their names, by the first of these rules of the `datasets` library that matches any file:

  1. shards in `data/`: `data/train-00000-of-00002.parquet` belongs to the split `train`;
  2. folders named after a split: `train/a/1.jpg`, `my-test_2/x.csv`;
  3. files named after a split: `my_data_train.csv`;
  4. otherwise all files belong to the split `train`.

  The keywords of the splits are `train` and `training`; `validation`, `valid`, `dev` and `val`; `test`, `testing`,
  `eval` and `evaluation`, at the start of a name or between `-`, `.`, `_`, spaces and digits. Hidden files,
  folders such as `__pycache__`, files of other formats, and files such as `README.md` and `config.json` are ignored.

  The files of a configuration that the card does not list are those in the folder of its name; the default
  configuration is the whole repository.
  """

  alias HfHub.Api.TreeEntry
  alias HfHub.DatasetFiles.{DatasetParquetEntry, Formats, Layout, Patterns, Place, Selection, Splits, Viewer}
  alias HfHub.{Api, Error, Options, RepoRef}

  @options [
             repo_type: [
               type: :repo_type,
               default: :dataset,
               doc: "Type of the repository, unless its reference contains one, as URIs and page URLs do."
             ]
           ] ++ Options.revision() ++ Options.common()

  @parquet [config: [type: :string, doc: "Configuration whose files to return. Defaults to all."]] ++
             Options.common()

  @doc """
  Returns the sorted paths of the files of a configuration and a split. `nil` is the default configuration. A folder in the
  reference, such as the `:subdir` of a tuple, is a dataset of its own, without the card.

  A keyword such as `"dev"` returns the files of its split that are named by this keyword. If there are no files, the
  error is of kind `:entry_not_found`; if the card lists several configurations and no default one, `nil` is an error of kind
  `:bad_request`.

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
         at = Layout.at(ref, opts),
         {:ok, tree} <-
           Api.list_repo_tree(RepoRef.again(ref), [repo_type: ref.repo_type, recursive: true] ++ at),
         {:ok, card} <- card(ref, at),
         {tree, card} = Selection.within(tree, card, ref.path),
         :ok <- Place.check_card({:hub, ref}, card, config) do
      case Patterns.from_card(card, config) do
        nil ->
          from_tree(tree, config, split)

        {:folder, folder} ->
          tree |> Selection.files() |> Selection.below(folder) |> of_split(folder, split)

        {:splits, _patterns} ->
          files = for {^split, files} <- Selection.splits(tree, card, config), file <- files, do: file
          files |> Enum.uniq() |> Enum.sort()
      end
      |> found(config, split, ref)
    end
  end

  @doc "Same as `resolve/4`, but returns the paths or raises `HfHub.Error`."
  @spec resolve!(HfHub.repo(), String.t() | nil, String.t(), keyword()) :: [String.t()]
  def resolve!(repo_id, config, split, opts \\ []), do: Error.unwrap!(resolve(repo_id, config, split, opts))

  @doc """
  Returns the Parquet files of a dataset, as the dataset viewer of the Hub lists them.

  The public Hub converts datasets of other formats to Parquet; the Local Hub lists the Parquet files that a dataset has. A
  dataset that the viewer does not support, or has not converted yet, is an error. The viewer of the public Hub is on a host
  of its own, `datasets-server.huggingface.co`, which gets the token.

  ## Options

  #{Options.docs(@parquet)}

  ## Examples

      {:ok, files} = HfHub.DatasetFiles.parquet_files("lhoestq/demo1", config: "default")
      for file <- files, file.split == "train", do: file.url
  """
  @doc python: "list_dataset_parquet_files"
  @spec parquet_files(HfHub.repo(), keyword()) :: {:ok, [DatasetParquetEntry.t()]} | {:error, Error.t()}
  def parquet_files(repo_id, opts \\ []), do: Viewer.parquet(repo_id, Options.validate!(opts, @parquet))

  @doc "Same as `parquet_files/2`, but returns the files or raises `HfHub.Error`."
  @spec parquet_files!(HfHub.repo(), keyword()) :: [DatasetParquetEntry.t()]
  def parquet_files!(repo_id, opts \\ []), do: Error.unwrap!(parquet_files(repo_id, opts))

  @doc """
  Returns the sorted paths in a listing that belong to a configuration and a split, by their names. If there are none,
  the error is of kind `:entry_not_found`.

  ## Examples

      iex> tree = [%HfHub.Api.TreeEntry{type: :file, path: "data/train-00000-of-00001.parquet"}]
      iex> HfHub.DatasetFiles.resolve_from_tree(tree, "default", "train")
      {:ok, ["data/train-00000-of-00001.parquet"]}
  """
  @spec resolve_from_tree([TreeEntry.t()], String.t() | nil, String.t()) ::
          {:ok, [String.t()]} | {:error, Error.t()}
  def resolve_from_tree(tree, config, split), do: tree |> from_tree(config, split) |> found(config, split)

  @doc "Same as `resolve_from_tree/3`, but returns the paths or raises `HfHub.Error`."
  @spec resolve_from_tree!([TreeEntry.t()], String.t() | nil, String.t()) :: [String.t()]
  def resolve_from_tree!(tree, config, split), do: Error.unwrap!(resolve_from_tree(tree, config, split))

  @doc """
  Returns the sorted names of the configurations in a listing, by the names of its files.

  ## Examples

      iex> tree = [
      ...>   %HfHub.Api.TreeEntry{type: :file, path: "en/train.csv"},
      ...>   %HfHub.Api.TreeEntry{type: :file, path: "test.csv"}
      ...> ]
      iex> HfHub.DatasetFiles.configs_from_tree(tree)
      ["default", "en"]
  """
  @spec configs_from_tree([TreeEntry.t()]) :: [String.t()]
  def configs_from_tree(tree),
    do: tree |> Selection.files() |> Formats.data() |> Enum.map(&config_of/1) |> Enum.uniq() |> Enum.sort()

  @doc """
  Returns the sorted names of a configuration's splits in a listing, by the names of its files.

  ## Examples

      iex> tree = [
      ...>   %HfHub.Api.TreeEntry{type: :file, path: "en/train.csv"},
      ...>   %HfHub.Api.TreeEntry{type: :file, path: "en/dev.csv"}
      ...> ]
      iex> HfHub.DatasetFiles.splits_from_tree(tree, "en")
      ["train", "validation"]
  """
  @spec splits_from_tree([TreeEntry.t()], String.t() | nil) :: [String.t()]
  def splits_from_tree(tree, config) do
    Enum.sort(for {split, _files} <- Selection.by_names(tree, config), do: split)
  end

  defp from_tree(tree, config, split) do
    {folder, paths} = Selection.of_config(tree, config)

    # A configuration without files of the split falls back to the whole repository.
    case of_split(paths, folder, split) do
      [] -> tree |> Selection.files() |> of_split("", split)
      found -> found
    end
  end

  defp card(%{repo_type: :dataset} = ref, at) do
    with {:ok, info} <- Api.dataset_info(RepoRef.again(ref), at), do: {:ok, info.card_data}
  end

  defp card(_ref, _at), do: {:ok, nil}

  defp found(paths, config, split, ref \\ %{repo_id: nil, revision: nil})

  defp found([], config, split, ref) do
    # The card may name the default one.
    config = if config, do: "configuration #{inspect(config)}", else: "default configuration"
    message = "no files of the split #{inspect(split)} of the #{config} in " <> (ref.repo_id || "the listing")

    {:error, Error.new(:entry_not_found, message, repo_id: ref.repo_id, revision: ref.revision)}
  end

  defp found(paths, _config, _split, _ref), do: {:ok, paths}

  defp of_split(paths, folder, split), do: for(path <- Splits.files(paths, split), do: folder <> path)

  defp config_of(path) do
    case String.split(path, "/", parts: 2) do
      [folder, _rest] when folder != "data" -> if Splits.folder?(folder), do: "default", else: folder
      _top -> "default"
    end
  end
end
