defmodule HfHub do
  @moduledoc """
  A client for the Hugging Face Hub: models, datasets, Spaces, buckets and inference.

  To download a file into the cache that all Hugging Face clients share:

      iex> {:ok, path} =
      ...>   HfHub.Download.hf_hub_download(
      ...>     repo_id: "openai-community/gpt2",
      ...>     filename: "config.json"
      ...>   )
      iex> File.exists?(path)
      true

  ## Modules

  Downloads and uploads:

    * `HfHub.Download` - files, whole repositories, streams
    * `HfHub.Commit` - uploads files and folders, makes commits
    * `HfHub.Cache` - shows, verifies and frees the cache
    * `HfHub.Buckets` - storage without a history: upload, download, sync
    * `HfHub.Progress`, `HfHub.Bandwidth`, `HfHub.Extract` - beside downloads

  The Hub:

    * `HfHub.Api` - models, datasets and Spaces: search, information, files
    * `HfHub.Repo` - creates, changes, moves and deletes repositories
    * `HfHub.Git` - branches, tags, commits
    * `HfHub.Cards` - READMEs of repositories with their metadata
    * `HfHub.Discussions`, `HfHub.Collections`, `HfHub.Webhooks`, `HfHub.Users`, `HfHub.Papers` - the community
    * `HfHub.Auth`, `HfHub.AccessRequests` - tokens, gated repositories

  Models, datasets and compute:

    * `HfHub.Inference` - chats, embeddings, images, speech
    * `HfHub.Safetensors`, `HfHub.GGUF`, `HfHub.DDUF`, `HfHub.Bumblebee` - tensors and models
    * `HfHub.Datasets`, `HfHub.DatasetFiles` - rows and files of a dataset
    * `HfHub.Spaces`, `HfHub.Jobs`, `HfHub.InferenceEndpoints` - what runs on the Hub

  Applications and tests:

    * `HfHub.Config` - all settings and their sources
    * `HfHub.Error` - the kinds of errors
    * `HfHub.Lock`, `HfHub.Preload`, `HfHub.Release` - pinned models, loaded at the start, in releases
    * `HfHub.LocalHub`, `HfHub.Test` - a Hub on this machine, for tests and air-gapped networks
    * `HfHub.Telemetry`, `HfHub.Doctor` - events, and why calls fail
    * `HfHub.Kino` - forms and tables in Livebook

  ## Conventions

  Functions return `{:ok, value}` or `{:error, %HfHub.Error{}}`; their twins with `!` return the value or raise. Functions
  that list have twins that stream. Options that do not exist raise `ArgumentError`.

  Results are structs. Their fields can also be read as those of a map, `info[:id]`, and by their names in the Hub's JSON,
  `info["lastModified"]`. Jason, where it is a dependency of the project, and `JSON` of Elixir 1.18 encode all fields but
  `:raw`, secrets and handles.

  Options with a closed set of atoms accept their names as strings, as forms and configuration files contain them:
  `repo_type: "dataset"`. Names of options in `hf_hub` 0.3 are accepted where they differ.
  """

  @typedoc """
  A repository, in any of the forms that `HfHub.Download` describes: an id such as `"openai-community/gpt2"`, an
  `hf://` URI, the URL of its web page, or Bumblebee's `{:hf, id}`.
  """
  @type repo :: String.t() | {:hf, String.t()} | {:hf, String.t(), keyword()}

  @typedoc "A repository of the Hub, or a folder on this machine, as Bumblebee names them."
  @type repository :: HfHub.Repository.t()

  @type repo_type :: :model | :dataset | :space
  @type repo_id :: String.t()
  @type filename :: String.t()
  @type revision :: String.t()

  @doc """
  Returns the version of this library.

  ## Examples

      iex> HfHub.version() |> Version.parse() |> elem(0)
      :ok
  """
  @spec version() :: String.t()
  def version, do: HfHub.Native.Hub.version()

  @doc """
  Returns whether offline mode is on, in which no network requests are made; see `HfHub.Config`.

  ## Examples

      iex> HfHub.offline_mode?()
      false
  """
  @doc python: "is_offline_mode"
  @spec offline_mode?() :: boolean()
  def offline_mode?, do: HfHub.Config.offline?()

  @doc """
  Returns whether offline mode is on, by the name that `offline_mode?/0` has in Python.

  ## Examples

      iex> HfHub.is_offline_mode() == HfHub.offline_mode?()
      true
  """
  @doc deprecated: "Use HfHub.offline_mode?/0 instead", python: "is_offline_mode"
  @spec is_offline_mode() :: boolean()
  def is_offline_mode, do: offline_mode?()

  @doc """
  Returns the path of a cached file without a request to the Hub.

  The error's `:kind` is `:entry_not_found` if the cache records that the revision does not have the file, and
  `:not_cached` otherwise. Options: `:revision`, `:repo_type`, `:cache_dir`, as for
  `HfHub.Cache.cache_path/1`.

  ## Examples

      iex> {:error, error} = HfHub.try_to_load_from_cache("nobody/nothing", "config.json")
      iex> error.kind
      :not_cached
  """
  @doc python: "try_to_load_from_cache"
  @spec try_to_load_from_cache(String.t(), String.t(), keyword()) ::
          {:ok, Path.t()} | {:error, HfHub.Error.t()}
  def try_to_load_from_cache(repo_id, filename, opts \\ []) do
    HfHub.Cache.cache_path([repo_id: repo_id, filename: filename] ++ opts)
  end

  @doc "Same as `try_to_load_from_cache/3`, but returns the path or raises `HfHub.Error`."
  @spec try_to_load_from_cache!(String.t(), String.t(), keyword()) :: Path.t()
  def try_to_load_from_cache!(repo_id, filename, opts \\ []) do
    HfHub.Error.unwrap!(try_to_load_from_cache(repo_id, filename, opts))
  end

  @doc """
  Returns a revision with the commit that it stands for. Options: those of `HfHub.Revision.resolve/2`, which is the same.

  ## Examples

      {:ok, revision} = HfHub.resolve_revision("openai-community/gpt2", revision: "main")
      revision.resolved
  """
  @doc python: "resolve_revision"
  @spec resolve_revision(repo(), keyword()) :: {:ok, HfHub.Revision.t()} | {:error, HfHub.Error.t()}
  defdelegate resolve_revision(repo_id, opts \\ []), to: HfHub.Revision, as: :resolve

  @doc "Same as `resolve_revision/2`, but returns the revision or raises `HfHub.Error`."
  @spec resolve_revision!(repo(), keyword()) :: HfHub.Revision.t()
  defdelegate resolve_revision!(repo_id, opts \\ []), to: HfHub.Revision, as: :resolve!

  @doc """
  Returns the URL of a file of a model; the same as `HfHub.Hub.file_url/3`.

  ## Examples

      iex> HfHub.file_url("openai-community/gpt2", "config.json", "v1.0")
      "https://huggingface.co/openai-community/gpt2/resolve/v1.0/config.json"
  """
  @spec file_url(String.t(), String.t(), String.t() | nil) :: String.t()
  defdelegate file_url(repository_id, filename, revision), to: HfHub.Hub

  @doc """
  Returns the URL of the listing of a model's files; the same as `HfHub.Hub.file_listing_url/3`.

  ## Examples

      iex> HfHub.file_listing_url("openai-community/gpt2", nil, nil)
      "https://huggingface.co/api/models/openai-community/gpt2/tree/main"
  """
  @spec file_listing_url(String.t(), String.t() | nil, String.t() | nil) :: String.t()
  defdelegate file_listing_url(repository_id, subdir, revision), to: HfHub.Hub

  @doc """
  Downloads the file of a URL. Options: those of `HfHub.Hub.cached_download/2`, which is the same.

  ## Examples

      url = HfHub.file_url("openai-community/gpt2", "config.json", nil)
      {:ok, path} = HfHub.cached_download(url)
  """
  @spec cached_download(String.t(), keyword()) :: {:ok, Path.t()} | {:error, String.t()}
  defdelegate cached_download(url, opts \\ []), to: HfHub.Hub

  @doc "Same as `cached_download/2`, but returns the path or raises `HfHub.Error`."
  @spec cached_download!(String.t(), keyword()) :: Path.t()
  defdelegate cached_download!(url, opts \\ []), to: HfHub.Hub

  @doc """
  Returns the files of a repository with their etags. Options: those of `HfHub.RepoFiles.get_repo_files/2`, which is the
  same.

  ## Examples

      {:ok, files} = HfHub.get_repo_files({:hf, "openai-community/gpt2"})
      Map.has_key?(files, "config.json")
  """
  @spec get_repo_files(repository(), keyword()) ::
          {:ok, %{String.t() => String.t() | nil}} | {:error, String.t()}
  defdelegate get_repo_files(repository, opts \\ []), to: HfHub.RepoFiles

  @doc "Same as `get_repo_files/2`, but returns the files or raises `HfHub.Error`."
  @spec get_repo_files!(repository(), keyword()) :: %{String.t() => String.t() | nil}
  defdelegate get_repo_files!(repository, opts \\ []), to: HfHub.RepoFiles
end
