defmodule HfHub.FS do
  @moduledoc """
  Paths on disk: the cache layout shared by all Hugging Face clients.

      ~/.cache/huggingface/hub
      └── models--openai-community--gpt2
          ├── blobs/<etag>                        file contents
          ├── refs/main                           the commit of a branch
          ├── snapshots/<commit>/config.json      links to blobs
          └── trees/<commit>.json                 the listing of a commit
  """

  alias HfHub.Cache.{Engine, Tables}
  alias HfHub.{Config, Error, Options, RegularFile}
  alias HfHub.Native.Nif

  @type repo_type :: :model | :dataset | :space | String.t()

  @typedoc "A lock that a process holds."
  @opaque lock :: reference()

  @lock Keyword.take(Tables.revision(), [:repo_type, :endpoint, :cache_dir])

  @doc """
  Returns the folder of a repository in the cache, whether or not it exists.

  ## Examples

      iex> HfHub.FS.repo_path("openai-community/gpt2", :model) |> Path.basename()
      "models--openai-community--gpt2"
  """
  @doc python: "repo_folder_name"
  @spec repo_path(String.t(), repo_type()) :: Path.t()
  def repo_path(repo_id, repo_type), do: Path.join(Config.cache_dir(), repo_folder(repo_id, repo_type))

  @doc false
  # Its name in any cache.
  @spec repo_folder(String.t(), repo_type()) :: String.t()
  def repo_folder(repo_id, repo_type)
      when repo_type in [:model, :dataset, :space, "model", "dataset", "space"],
      do: "#{repo_type}s--" <> String.replace(repo_id, "/", "--")

  @doc """
  Returns the path of a file in the cache, whether or not it exists.

  A branch or tag is resolved by the cache's `refs`; an unknown one is used as is. Names that would lead out of the cache
  raise `ArgumentError`.

  ## Examples

      iex> commit = String.duplicate("a", 40)
      iex> HfHub.FS.file_path("gpt2", :model, "config.json", commit)
      ...> |> Path.relative_to(HfHub.FS.cache_dir())
      "models--gpt2/snapshots/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/config.json"
  """
  @spec file_path(String.t(), repo_type(), String.t(), String.t()) :: Path.t()
  def file_path(repo_id, repo_type, filename, revision \\ "main") do
    repo = repo_path(repo_id, repo_type)
    check!(%{repo: %{repo_type: to_string(repo_type), id: repo_id}, revision: revision}, filename)

    commit =
      case RegularFile.read(Path.join([repo, "refs", revision]), 1024) do
        {:ok, commit} -> String.trim(commit)
        {:error, _unknown} -> revision
      end

    Path.join([repo, "snapshots", commit, filename])
  end

  @doc """
  Returns the folder of a commit's files in the cache, whether or not it exists; see `HfHub.Revision`.

  ## Examples

      iex> HfHub.FS.snapshot_path("gpt2", :model, String.duplicate("a", 40))
      ...> |> Path.relative_to(HfHub.FS.repo_path("gpt2", :model))
      "snapshots/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  """
  @spec snapshot_path(String.t(), repo_type(), String.t()) :: Path.t()
  def snapshot_path(repo_id, repo_type, revision), do: below(repo_id, repo_type, "snapshots", revision)

  @doc """
  Returns the path of the file with the commit of a branch or tag in the cache, whether or not it exists.

  ## Examples

      iex> HfHub.FS.ref_path("gpt2", :model, "refs/pr/1") |> Path.relative_to(HfHub.FS.cache_dir())
      "models--gpt2/refs/refs/pr/1"
  """
  @spec ref_path(String.t(), repo_type(), String.t()) :: Path.t()
  def ref_path(repo_id, repo_type, revision), do: below(repo_id, repo_type, "refs", revision)

  defp below(repo_id, repo_type, folder, revision) do
    check!(%{repo: %{repo_type: to_string(repo_type), id: repo_id}, revision: revision}, nil)
    Path.join([repo_path(repo_id, repo_type), folder, revision])
  end

  @doc """
  Returns the cache folder; the same as `HfHub.Config.cache_dir/0`.

  ## Examples

      iex> HfHub.FS.cache_dir() == HfHub.Config.cache_dir()
      true
  """
  @spec cache_dir() :: Path.t()
  def cache_dir, do: Config.cache_dir()

  @doc """
  Creates the cache folder if it does not exist.

  ## Examples

      case HfHub.FS.ensure_cache_dir() do
        :ok -> HfHub.FS.cache_dir()
        {:error, error} -> raise error
      end
  """
  @spec ensure_cache_dir() :: :ok | {:error, Error.t()}
  def ensure_cache_dir do
    with {:error, reason} <- File.mkdir_p(cache_dir()) do
      why = :file.format_error(reason)

      message =
        "cannot create the folder `#{cache_dir()}`: #{why}; choose another with HF_HUB_CACHE or HF_HOME"

      {:error, Error.new(:io, message)}
    end
  end

  @doc "Same as `ensure_cache_dir/0`, but raises `HfHub.Error`."
  @spec ensure_cache_dir!() :: :ok
  def ensure_cache_dir!, do: with({:error, error} <- ensure_cache_dir(), do: raise(error))

  @doc """
  Acquires the advisory lock of a file name, waiting until it is free.

  The lock is shared by all callers of this function on this machine that use the same cache. It does not prevent
  downloads of the file, which have locks of their own. It is released by `unlock_file/1` or when the calling process
  exits.

  ## Options

  #{Options.docs(@lock)}

  ## Examples

      iex> cache = Path.join(System.tmp_dir!(), "hf_hub_doc_\#{System.unique_integer([:positive])}")
      iex> {:ok, lock} = HfHub.FS.lock_file("openai-community/gpt2", "config.json", cache_dir: cache)
      iex> HfHub.FS.unlock_file(lock)
      :ok
  """
  @doc python: "WeakFileLock"
  @spec lock_file(String.t(), String.t(), keyword()) :: {:ok, lock()} | {:error, Error.t()}
  def lock_file(repo_id, filename, opts \\ []) do
    opts = Options.validate!(opts, @lock, repo_id)

    with {:ok, place, _ref} <- Engine.repo(repo_id, opts),
         {:ok, handle, _path} <- Engine.hold(Map.put(place, :filename, filename), opts) do
      {:ok, handle}
    end
  end

  @doc "Same as `lock_file/3`, but returns the lock or raises `HfHub.Error`."
  @spec lock_file!(String.t(), String.t(), keyword()) :: lock()
  def lock_file!(repo_id, filename, opts \\ []), do: Error.unwrap!(lock_file(repo_id, filename, opts))

  @doc """
  Releases a lock acquired by `lock_file/3`. A lock that is not held is an error of kind `:not_found`.

  ## Examples

      iex> cache = Path.join(System.tmp_dir!(), "hf_hub_doc_\#{System.unique_integer([:positive])}")
      iex> lock = HfHub.FS.lock_file!("openai-community/gpt2", "config.json", cache_dir: cache)
      iex> :ok = HfHub.FS.unlock_file(lock)
      iex> {:error, error} = HfHub.FS.unlock_file(lock)
      iex> error.kind
      :not_found
  """
  @spec unlock_file(lock()) :: :ok | {:error, Error.t()}
  def unlock_file(lock) do
    if held?(lock), do: :ok, else: {:error, Error.new(:not_found, "the lock is not held")}
  end

  @doc "Same as `unlock_file/1`, but raises `HfHub.Error`."
  @spec unlock_file!(lock()) :: :ok
  def unlock_file!(lock), do: with({:error, error} <- unlock_file(lock), do: raise(error))

  defp held?(lock) do
    Nif.cancel(lock)
  rescue
    # A reference of another origin, such as the lock of a node that was restarted.
    ArgumentError -> false
  end

  defp check!(place, filename) do
    case Nif.check_names(Map.merge(place, %{path: nil, filename: filename})) do
      nil -> :ok
      error -> raise ArgumentError, error.message
    end
  end
end
