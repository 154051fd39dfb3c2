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
    * `HfHub.LocalHub` - run a Hub on this machine, for tests and air-gapped networks

  To download a file:

      iex> {:ok, path} = HfHub.Download.hf_hub_download(repo_id: "openai-community/gpt2", filename: "config.json")
      iex> File.exists?(path)
      true

  Options with a closed set of atoms accept their names as strings too, as forms and configuration files contain them:
  `repo_type: "dataset"`. Names of options in `hf_hub` 0.3 are accepted where they differ; the documentation of each
  function lists them.
  """

  @typedoc """
  A repository, in any of the forms that `HfHub.Download` describes: an id such as `"openai-community/gpt2"`, an
  `hf://` URI, the URL of its web page, or Bumblebee's `{:hf, id}`.
  """
  @type repo :: String.t() | {:hf, String.t()} | {:hf, String.t(), keyword()}

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
end
