defmodule HfHub.Api do
  @moduledoc """
  Information about models, datasets and Spaces: metadata, lists, files and tags.

      {:ok, info} = HfHub.Api.model_info("openai-community/gpt2")
      info.downloads

  A repository can be given in any form that `HfHub.Download` accepts. Functions that list return up to `:limit` items;
  their `stream_` twins are lazy, request pages as needed, and raise `HfHub.Error`.
  """

  alias HfHub.Api.{
    DatasetInfo,
    Files,
    Info,
    KernelInfo,
    LeaderboardEntry,
    ModelInfo,
    Search,
    Sibling,
    SpaceInfo,
    Tables,
    TreeEntry
  }

  alias HfHub.DatasetFiles.Layout
  alias HfHub.{Error, Options}

  @type tags :: %{String.t() => [%{String.t() => term()}]}

  @doc """
  Returns the metadata of a model.

  ## Options

  #{Options.docs(Tables.model_info())}

  ## Examples

      {:ok, info} = HfHub.Api.model_info("openai-community/gpt2", files_metadata: true)
      for file <- info.siblings, do: {file.rfilename, file.size}
  """
  @doc python: "model_info"
  @spec model_info(HfHub.repo(), keyword()) :: {:ok, ModelInfo.t()} | {:error, Error.t()}
  def model_info(repo_id, opts \\ []), do: Info.get(repo_id, :model, opts)

  @doc "Same as `model_info/2`, but returns the information or raises `HfHub.Error`."
  @spec model_info!(HfHub.repo(), keyword()) :: ModelInfo.t()
  def model_info!(repo_id, opts \\ []), do: Error.unwrap!(model_info(repo_id, opts))

  @doc """
  Returns the metadata of a dataset.

  ## Options

  #{Options.docs(Tables.dataset_info())}

  ## Examples

      {:ok, info} = HfHub.Api.dataset_info("rajpurkar/squad")
  """
  @doc python: "dataset_info"
  @spec dataset_info(HfHub.repo(), keyword()) :: {:ok, DatasetInfo.t()} | {:error, Error.t()}
  def dataset_info(repo_id, opts \\ []), do: Info.get(repo_id, :dataset, opts)

  @doc "Same as `dataset_info/2`, but returns the information or raises `HfHub.Error`."
  @spec dataset_info!(HfHub.repo(), keyword()) :: DatasetInfo.t()
  def dataset_info!(repo_id, opts \\ []), do: Error.unwrap!(dataset_info(repo_id, opts))

  @doc """
  Returns the metadata of a Space.

  ## Options

  #{Options.docs(Tables.space_info())}

  ## Examples

      {:ok, info} = HfHub.Api.space_info("huggingface/diffusers-gallery")
  """
  @doc python: "space_info"
  @spec space_info(HfHub.repo(), keyword()) :: {:ok, SpaceInfo.t()} | {:error, Error.t()}
  def space_info(repo_id, opts \\ []), do: Info.get(repo_id, :space, opts)

  @doc "Same as `space_info/2`, but returns the information or raises `HfHub.Error`."
  @spec space_info!(HfHub.repo(), keyword()) :: SpaceInfo.t()
  def space_info!(repo_id, opts \\ []), do: Error.unwrap!(space_info(repo_id, opts))

  @doc """
  Returns the metadata of a repository of any type.

  Options: `:repo_type` (default: `:model`) and those of `model_info/2`, `dataset_info/2` or `space_info/2`.

  ## Examples

      {:ok, info} = HfHub.Api.repo_info("hf://datasets/rajpurkar/squad")
      info.downloads
  """
  @doc python: "repo_info"
  @spec repo_info(HfHub.repo(), keyword()) ::
          {:ok, ModelInfo.t() | DatasetInfo.t() | SpaceInfo.t()} | {:error, Error.t()}
  def repo_info(repo_id, opts \\ []), do: Info.any(repo_id, opts)

  @doc "Same as `repo_info/2`, but returns the information or raises `HfHub.Error`."
  @spec repo_info!(HfHub.repo(), keyword()) :: ModelInfo.t() | DatasetInfo.t() | SpaceInfo.t()
  def repo_info!(repo_id, opts \\ []), do: Error.unwrap!(repo_info(repo_id, opts))

  @doc """
  Returns the metadata of a kernel: a repository with compiled code for accelerators.

  ## Options

  #{Options.docs(Tables.dataset())}

  ## Examples

      {:ok, info} = HfHub.Api.kernel_info("kernels-community/activation")
      info.sha
  """
  @doc python: "kernel_info"
  @spec kernel_info(String.t(), keyword()) :: {:ok, KernelInfo.t()} | {:error, Error.t()}
  def kernel_info(repo_id, opts \\ []), do: Info.kernel(repo_id, Options.validate!(opts, Tables.dataset()))

  @doc "Same as `kernel_info/2`, but returns the information or raises `HfHub.Error`."
  @spec kernel_info!(String.t(), keyword()) :: KernelInfo.t()
  def kernel_info!(repo_id, opts \\ []), do: Error.unwrap!(kernel_info(repo_id, opts))

  @doc """
  Lists models that match filters.

  ## Options

  #{Options.docs(Tables.models())}

  ## Examples

      {:ok, models} = HfHub.Api.list_models(search: "whisper", sort: :downloads, limit: 5)
  """
  @doc python: "list_models"
  @spec list_models(keyword()) :: {:ok, [ModelInfo.t()]} | {:error, Error.t()}
  def list_models(opts \\ []), do: Search.list(:models, opts)

  @doc "Same as `list_models/1`, but returns the models or raises `HfHub.Error`."
  @spec list_models!(keyword()) :: [ModelInfo.t()]
  def list_models!(opts \\ []), do: Error.unwrap!(list_models(opts))

  @doc """
  Returns models as a lazy stream that requests pages as needed. Options: those of `list_models/1` but `:limit`.

  ## Examples

      HfHub.Api.stream_models(author: "google") |> Stream.filter(&(&1.likes > 100)) |> Enum.take(3)
  """
  @doc python: "list_models"
  @spec stream_models(keyword()) :: Enumerable.t()
  def stream_models(opts \\ []), do: Search.stream(:models, opts)

  @doc """
  Lists datasets that match filters.

  ## Options

  #{Options.docs(Tables.datasets())}

  ## Examples

      {:ok, datasets} =
        HfHub.Api.list_datasets(language: "en", task_categories: "question-answering", limit: 5)
  """
  @doc python: "list_datasets"
  @spec list_datasets(keyword()) :: {:ok, [DatasetInfo.t()]} | {:error, Error.t()}
  def list_datasets(opts \\ []), do: Search.list(:datasets, opts)

  @doc "Same as `list_datasets/1`, but returns the datasets or raises `HfHub.Error`."
  @spec list_datasets!(keyword()) :: [DatasetInfo.t()]
  def list_datasets!(opts \\ []), do: Error.unwrap!(list_datasets(opts))

  @doc """
  Returns datasets as a lazy stream. Options: those of `list_datasets/1` but `:limit`.

  ## Examples

      HfHub.Api.stream_datasets(language: "en") |> Enum.take(10)
  """
  @doc python: "list_datasets"
  @spec stream_datasets(keyword()) :: Enumerable.t()
  def stream_datasets(opts \\ []), do: Search.stream(:datasets, opts)

  @doc """
  Lists Spaces that match filters.

  ## Options

  #{Options.docs(Tables.spaces())}

  ## Examples

      {:ok, spaces} = HfHub.Api.list_spaces(models: "openai-community/gpt2", limit: 10)
  """
  @doc python: "list_spaces"
  @spec list_spaces(keyword()) :: {:ok, [SpaceInfo.t()]} | {:error, Error.t()}
  def list_spaces(opts \\ []), do: Search.list(:spaces, opts)

  @doc "Same as `list_spaces/1`, but returns the Spaces or raises `HfHub.Error`."
  @spec list_spaces!(keyword()) :: [SpaceInfo.t()]
  def list_spaces!(opts \\ []), do: Error.unwrap!(list_spaces(opts))

  @doc """
  Returns Spaces as a lazy stream. Options: those of `list_spaces/1` but `:limit`.

  ## Examples

      HfHub.Api.stream_spaces(author: "huggingface") |> Enum.take(10)
  """
  @doc python: "list_spaces"
  @spec stream_spaces(keyword()) :: Enumerable.t()
  def stream_spaces(opts \\ []), do: Search.stream(:spaces, opts)

  @doc """
  Returns the files and folders of a repository.

  ## Options

  #{Options.docs(Tables.tree())}

  ## Examples

      {:ok, entries} = HfHub.Api.list_repo_tree("openai-community/gpt2", recursive: true)
  """
  @doc python: "list_repo_tree"
  @spec list_repo_tree(HfHub.repo(), keyword()) :: {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def list_repo_tree(repo_id, opts \\ []), do: Files.tree(repo_id, opts)

  @doc "Same as `list_repo_tree/2`, but returns the entries or raises `HfHub.Error`."
  @spec list_repo_tree!(HfHub.repo(), keyword()) :: [TreeEntry.t()]
  def list_repo_tree!(repo_id, opts \\ []), do: Error.unwrap!(list_repo_tree(repo_id, opts))

  @doc """
  Returns the files and folders of a repository as a lazy stream. Options: those of `list_repo_tree/2` but `:limit`.

  ## Examples

      HfHub.Api.stream_repo_tree("openai-community/gpt2", recursive: true)
      |> Enum.find(&(&1.size > 1_000_000_000))
  """
  @doc python: "list_repo_tree"
  @spec stream_repo_tree(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream_repo_tree(repo_id, opts \\ []), do: Files.stream_tree(repo_id, opts)

  @doc """
  Returns the files of a repository with their sizes.

  ## Options

  #{Options.docs(Tables.files())}

  ## Examples

      {:ok, files} = HfHub.Api.list_files("openai-community/gpt2")
      for file <- files, do: {file.rfilename, file.size}
  """
  @spec list_files(HfHub.repo(), keyword()) :: {:ok, [Sibling.t()]} | {:error, Error.t()}
  def list_files(repo_id, opts \\ []), do: Files.list(repo_id, opts)

  @doc "Same as `list_files/2`, but returns the files or raises `HfHub.Error`."
  @spec list_files!(HfHub.repo(), keyword()) :: [Sibling.t()]
  def list_files!(repo_id, opts \\ []), do: Error.unwrap!(list_files(repo_id, opts))

  @doc """
  Returns the files of a repository as a lazy stream. Options: those of `list_files/2` but `:limit`.

  ## Examples

      HfHub.Api.stream_files("openai-community/gpt2") |> Enum.find(&(&1.size > 1_000_000_000))
  """
  @spec stream_files(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream_files(repo_id, opts \\ []), do: Files.stream(repo_id, opts)

  @doc """
  Returns the paths of the files of a repository. Options: those of `list_files/2`.

  ## Examples

      {:ok, paths} = HfHub.Api.list_repo_files("openai-community/gpt2")
  """
  @doc python: "list_repo_files"
  @spec list_repo_files(HfHub.repo(), keyword()) :: {:ok, [String.t()]} | {:error, Error.t()}
  def list_repo_files(repo_id, opts \\ []), do: Files.paths(repo_id, opts)

  @doc "Same as `list_repo_files/2`, but returns the paths or raises `HfHub.Error`."
  @spec list_repo_files!(HfHub.repo(), keyword()) :: [String.t()]
  def list_repo_files!(repo_id, opts \\ []), do: Error.unwrap!(list_repo_files(repo_id, opts))

  @doc """
  Returns the paths of the files of a repository as a lazy stream. Options: those of `list_files/2` but `:limit`.

  ## Examples

      HfHub.Api.stream_repo_files("openai-community/gpt2")
      |> Enum.find(&String.ends_with?(&1, ".safetensors"))
  """
  @doc python: "list_repo_files"
  @spec stream_repo_files(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream_repo_files(repo_id, opts \\ []), do: Files.stream_paths(repo_id, opts)

  @doc """
  Returns information about the given paths of a repository. Paths that do not exist are omitted.

  ## Options

  #{Options.docs(Tables.paths())}

  ## Examples

      {:ok, [entry]} = HfHub.Api.paths_info("openai-community/gpt2", "config.json")
  """
  @doc python: "get_paths_info"
  @spec paths_info(HfHub.repo(), String.t() | [String.t()], keyword()) ::
          {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def paths_info(repo_id, paths, opts \\ []), do: Files.info(repo_id, paths, opts)

  @doc "Same as `paths_info/3`, but returns the entries or raises `HfHub.Error`."
  @spec paths_info!(HfHub.repo(), String.t() | [String.t()], keyword()) :: [TreeEntry.t()]
  def paths_info!(repo_id, paths, opts \\ []), do: Error.unwrap!(paths_info(repo_id, paths, opts))

  @doc """
  Returns all tags of models, grouped by type such as `"library"` and `"language"`: maps with `"id"`, `"label"` and
  `"type"`.

  ## Options

  #{Options.docs(Options.common())}

  ## Examples

      {:ok, tags} = HfHub.Api.model_tags()
      for tag <- tags["pipeline_tag"], do: tag["id"]
  """
  @doc python: "get_model_tags"
  @spec model_tags(keyword()) :: {:ok, tags()} | {:error, Error.t()}
  def model_tags(opts \\ []), do: Info.tags("models", opts)

  @doc "Same as `model_tags/1`, but returns the tags or raises `HfHub.Error`."
  @spec model_tags!(keyword()) :: tags()
  def model_tags!(opts \\ []), do: Error.unwrap!(model_tags(opts))

  @doc """
  Returns all tags of datasets, grouped by type such as `"task_categories"`. Options: those of `model_tags/1`.

  ## Examples

      {:ok, tags} = HfHub.Api.dataset_tags()
  """
  @doc python: "get_dataset_tags"
  @spec dataset_tags(keyword()) :: {:ok, tags()} | {:error, Error.t()}
  def dataset_tags(opts \\ []), do: Info.tags("datasets", opts)

  @doc "Same as `dataset_tags/1`, but returns the tags or raises `HfHub.Error`."
  @spec dataset_tags!(keyword()) :: tags()
  def dataset_tags!(opts \\ []), do: Error.unwrap!(dataset_tags(opts))

  @doc """
  Returns the names of a dataset's configurations, also called subsets.

  They are read from the first of these sources that has any: the card, `dataset_infos.json`, the dataset viewer, the
  file names. A folder in the reference, such as the `:subdir` of a tuple, is a dataset of its own with one configuration,
  without the card.

  ## Options

  #{Options.docs(Tables.dataset())}

  ## Examples

      {:ok, ["ax" | _rest]} = HfHub.Api.dataset_configs("nyu-mll/glue")
  """
  @doc python: "get_dataset_config_names"
  @spec dataset_configs(HfHub.repo(), keyword()) :: {:ok, [String.t()]} | {:error, Error.t()}
  def dataset_configs(repo_id, opts \\ []),
    do: Layout.configs(repo_id, Options.validate!(opts, Tables.dataset()))

  @doc "Same as `dataset_configs/2`, but returns the names or raises `HfHub.Error`."
  @spec dataset_configs!(HfHub.repo(), keyword()) :: [String.t()]
  def dataset_configs!(repo_id, opts \\ []), do: Error.unwrap!(dataset_configs(repo_id, opts))

  @doc """
  Returns the names of the configurations in a dataset's card, such as the `:card_data` of `dataset_info/2`.

  ## Examples

      iex> HfHub.Api.extract_config_names(%{"configs" => [%{"config_name" => "main"}]})
      ["main"]
      iex> HfHub.Api.extract_config_names(nil)
      []
  """
  @spec extract_config_names(map() | nil) :: [String.t()]
  def extract_config_names(card_data), do: for({config, _splits} <- Layout.from_card(card_data), do: config)

  @doc """
  Returns the names of the splits of a dataset's configuration, from the same sources as `dataset_configs/2`.

  A configuration that does not exist is an error of kind `:entry_not_found`, and a card without a default configuration, or
  of another form than that of `datasets`, one of kind `:bad_request`.

  ## Options

  #{Options.docs(Tables.splits())}

  ## Examples

      {:ok, ["train", "validation"]} = HfHub.Api.dataset_splits("rajpurkar/squad")
  """
  @doc python: "get_dataset_split_names"
  @spec dataset_splits(HfHub.repo(), keyword()) :: {:ok, [String.t()]} | {:error, Error.t()}
  def dataset_splits(repo_id, opts \\ []),
    do: Layout.splits(repo_id, Options.validate!(opts, Tables.splits()))

  @doc "Same as `dataset_splits/2`, but returns the names or raises `HfHub.Error`."
  @spec dataset_splits!(HfHub.repo(), keyword()) :: [String.t()]
  def dataset_splits!(repo_id, opts \\ []), do: Error.unwrap!(dataset_splits(repo_id, opts))

  @doc """
  Returns the leaderboard of a dataset: models by their scores on it. A dataset without one is an error.

  ## Options

  #{Options.docs(Tables.leaderboard())}

  ## Examples

      {:ok, [first | _others]} = HfHub.Api.dataset_leaderboard("allenai/olmOCR-bench")
      {first.model_id, first.value}
  """
  @doc python: "get_dataset_leaderboard"
  @spec dataset_leaderboard(HfHub.repo(), keyword()) :: {:ok, [LeaderboardEntry.t()]} | {:error, Error.t()}
  def dataset_leaderboard(repo_id, opts \\ []),
    do: Info.leaderboard(repo_id, Options.validate!(opts, Tables.leaderboard()))

  @doc "Same as `dataset_leaderboard/2`, but returns the entries or raises `HfHub.Error`."
  @spec dataset_leaderboard!(HfHub.repo(), keyword()) :: [LeaderboardEntry.t()]
  def dataset_leaderboard!(repo_id, opts \\ []), do: Error.unwrap!(dataset_leaderboard(repo_id, opts))
end
