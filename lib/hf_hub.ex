defmodule HfHub do
  @moduledoc """
  A client for the Hugging Face Hub.

  Connections, hashing and the cache are implemented by a native engine in Rust. Start here:

    * `HfHub.Download` - download files and whole repositories
    * `HfHub.Commit` - upload files and folders
    * `HfHub.Auth` - log in, and see what a token may do
    * `HfHub.Cache` - inspect and clean the cache on this machine
    * `HfHub.Extract` - unpack archives
    * `HfHub.Config` - the settings and their sources
    * `HfHub.Error` - the kinds of errors
    * `HfHub.Progress` - watch a download
    * `HfHub.Safetensors`, `HfHub.GGUF` - tensors of models, without downloading all of them
    * `HfHub.Bumblebee` - models for Bumblebee
    * `HfHub.Kino` - forms and tables in Livebook
    * `HfHub.Hub`, `HfHub.RepoFiles`, `HfHub.Repository` - files by URLs, and repositories as in Bumblebee
    * `HfHub.LocalHub` - run a Hub on this machine, for tests and air-gapped networks
    * `HfHub.Lock`, `HfHub.Release`, `HfHub.Preload` - pin models, put them into a release, load them at the start
    * `HfHub.Test` - Hubs with faults for the tests of an application
    * `HfHub.Doctor` - find out why calls fail on this machine

  To download a file:

      iex> {:ok, path} = HfHub.Download.hf_hub_download(repo_id: "openai-community/gpt2", filename: "config.json")
      iex> File.exists?(path)
      true

  Results are structs. Their fields can also be read as those of a map, `info[:id]` or `get_in(info, [:card_data, "license"])`,
  also by their names in the Hub's JSON, `info["lastModified"]`, and they are encoded by Jason, where it is a dependency of the project, and by `JSON` of Elixir 1.18: all fields but
  `:raw`, secrets and handles.

  Options with a closed set of atoms accept their names as strings too, as forms and configuration files contain them:
  `repo_type: "dataset"`. Names of options in `hf_hub` 0.3 are accepted where they differ; the documentation of each
  function lists them.
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

  @version Mix.Project.config()[:version]

  @doc """
  Returns the version of this library.

  ## Examples

      iex> HfHub.version() |> Version.parse() |> elem(0)
      :ok
  """
  @spec version() :: String.t()
  def version, do: @version

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
