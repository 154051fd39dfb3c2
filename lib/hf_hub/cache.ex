defmodule HfHub.Cache do
  @moduledoc """
  The local cache: inspection, clean-up, verification and transport.

      iex> HfHub.Cache.cached?(repo_id: "nobody/nothing", filename: "config.json")
      false

  The cache is shared with the Python client and all other Hugging Face clients. Sizes are in bytes, ages in seconds, and
  times are `DateTime`s in UTC. `mix hf_hub.cache` has the same operations as commands.

  Repositories share files that the Hub has in Xet storage: a file with the same content is stored once, in the folder
  `blobs` of the cache, and neither downloaded again nor counted twice in `size_on_disk` of `scan/1`. Removing the last
  reference removes it. The setting `:shared_blobs` in `HfHub.Config` and `HF_HUB_DISABLE_SHARED_BLOBS` turn that off.

  ## Safe removal

  Files to remove are renamed away first, so a reader never sees half of a revision. Removals keep revisions that a
  download of this library is filling, that a process holds by `lease/2`, and that are pinned by `pin/2`; the result lists
  what was kept. A removal follows no symbolic link inside the cache and touches nothing outside of it.

  A lease is a lock among processes that use this library and share file locks. It does not prevent removals by other
  clients (`hf cache rm`, `rm`), nor by hosts that share a file system without working locks.
  """

  alias HfHub.{Error, Options}
  alias HfHub.Api.TreeEntry
  alias HfHub.Cache.{Adoption, Archive, CachedTree, Deletion, Engine, Folder, FolderCheck, FolderVerification}
  alias HfHub.Cache.{Integrity, Lease, Leases, Removal, Report, Tables, Transport, Verification}

  @type stats :: %{total_size: non_neg_integer(), file_count: non_neg_integer(), repos: [map()]}

  @doc """
  Returns whether a file is in the cache.

  ## Options

  #{Options.docs(Tables.look_up())}

  ## Examples

      iex> HfHub.Cache.cached?(repo_id: "nobody/nothing", filename: "config.json")
      false
  """
  @doc python: "try_to_load_from_cache"
  @spec cached?(keyword()) :: boolean()
  def cached?(opts), do: match?({:ok, _path}, cache_path(opts))

  @doc """
  Returns the path of a cached file.

  The error is of kind `:entry_not_found` if the revision is known not to contain the file, and `:not_cached` otherwise.
  Options: those of `cached?/1`.

  ## Examples

      iex> {:error, error} =
      ...>   HfHub.Cache.cache_path(repo_id: "nobody/nothing", filename: "config.json")
      iex> error.kind
      :not_cached
  """
  @doc python: "try_to_load_from_cache"
  @spec cache_path(keyword()) :: {:ok, Path.t()} | {:error, Error.t()}
  def cache_path(opts), do: opts |> Options.validate!(Tables.look_up()) |> Engine.look_up()

  @doc "Same as `cache_path/1`, but returns the path or raises `HfHub.Error`."
  @spec cache_path!(keyword()) :: Path.t()
  def cache_path!(opts), do: Error.unwrap!(cache_path(opts))

  @doc """
  Returns all repositories, revisions and files in the cache, with sizes, times and warnings.

  The figures are those of `scan_cache_dir` of the Python client. A cache that does not exist is an error of kind `:not_cached`.

  ## Options

  #{Options.docs(Tables.cache_dir())}

  ## Examples

      iex> {:error, error} = HfHub.Cache.scan(cache_dir: "/nowhere")
      iex> error.kind
      :not_cached
  """
  @doc python: "scan_cache_dir"
  @spec scan(keyword()) :: {:ok, Report.t()} | {:error, Error.t()}
  def scan(opts \\ []) do
    opts |> Options.validate!(Tables.cache_dir()) |> Engine.scan()
  end

  @doc "Same as `scan/1`, but returns the report or raises `HfHub.Error`."
  @spec scan!(keyword()) :: Report.t()
  def scan!(opts \\ []), do: Error.unwrap!(scan(opts))

  @doc """
  Returns the size of the cache, the number of blobs, and its repositories, largest first: each a map with `:repo_id`,
  `:repo_type`, `:size`, `:file_count` and `:last_accessed`.

  Options: `:cache_dir`. A cache that does not exist is empty.

  ## Examples

      iex> HfHub.Cache.cache_stats(cache_dir: "/nowhere")
      {:ok, %{total_size: 0, file_count: 0, repos: []}}
  """
  @doc python: "scan_cache_dir"
  @spec cache_stats(keyword()) :: {:ok, stats()} | {:error, Error.t()}
  def cache_stats(opts \\ []) do
    case scan(opts) do
      {:ok, report} -> {:ok, Engine.stats(report)}
      {:error, %Error{kind: :not_cached}} -> {:ok, Engine.stats(%Report{})}
      {:error, error} -> {:error, error}
    end
  end

  @doc "Same as `cache_stats/1`, but returns the figures or raises `HfHub.Error`."
  @spec cache_stats!(keyword()) :: stats()
  def cache_stats!(opts \\ []), do: Error.unwrap!(cache_stats(opts))

  @doc """
  Removes revisions, given by their commits, and the blobs that no other revision references.

  Removing the last revision removes the repository. `"model/org/name"` and `"org/name"` stand for a repository and
  `"hf://org/name@v1"` for a revision, never for a single file. Returns what was removed and what was kept.

  ## Options

  #{Options.docs(Tables.deletion())}

  ## Examples

      {:ok, plan} = HfHub.Cache.delete_revisions([commit], dry_run: true)
      plan.expected_freed_size
  """
  @doc python: "delete_revisions"
  @spec delete_revisions([String.t()], keyword()) :: {:ok, Deletion.t()} | {:error, Error.t()}
  def delete_revisions(commits, opts \\ []) when is_list(commits),
    do: Removal.revisions(commits, Options.validate!(opts, Tables.deletion()))

  @doc "Same as `delete_revisions/2`, but returns the deletion or raises `HfHub.Error`."
  @spec delete_revisions!([String.t()], keyword()) :: Deletion.t()
  def delete_revisions!(commits, opts \\ []), do: Error.unwrap!(delete_revisions(commits, opts))

  @doc """
  Removes one or all repositories.

  Only repositories are removed; other files in the folder are kept. If a repository cannot be removed, the error names
  it and is of kind `:lock_timeout` if it is in use, `:conflict` if it is pinned, `:io` otherwise.

  ## Options

  #{Options.docs(Tables.clear())}

  ## Examples

      iex> HfHub.Cache.clear_cache(repo_id: "nobody/nothing")
      :ok
  """
  @spec clear_cache(keyword()) :: :ok | {:error, Error.t()}
  def clear_cache(opts \\ []), do: opts |> Options.validate!(Tables.clear()) |> Removal.repos()

  @doc "Same as `clear_cache/1`, but raises `HfHub.Error`."
  @spec clear_cache!(keyword()) :: :ok
  def clear_cache!(opts \\ []), do: with({:error, error} <- clear_cache(opts), do: raise(error))

  @doc """
  Removes unreferenced revisions and the partial files of interrupted downloads.

  Removes revisions without a branch or tag, partial files, blobs that no revision references, broken links, refs to
  missing commits, and unused blobs of the shared store. Blobs that an unreadable file may reference are kept.

  ## Options

  #{Options.docs(Tables.prune())}

  ## Examples

      {:ok, deletion} = HfHub.Cache.prune(dry_run: true)
      deletion.expected_freed_size
  """
  @doc python: "hf cache prune"
  @spec prune(keyword()) :: {:ok, Deletion.t()} | {:error, Error.t()}
  def prune(opts \\ []) do
    opts = Options.validate!(opts, Tables.prune())
    spec = %{older_than: opts[:older_than] * 1000, dry_run: opts[:dry_run]}
    with {:ok, report} <- Engine.run(:prune, spec, opts), do: {:ok, Engine.deletion(report)}
  end

  @doc "Same as `prune/1`, but returns the deletion or raises `HfHub.Error`."
  @spec prune!(keyword()) :: Deletion.t()
  def prune!(opts \\ []), do: Error.unwrap!(prune(opts))

  @doc """
  Removes the least recently used revisions until the cache meets the given size and age.

  Whole revisions are removed, with the blobs that no remaining one references. Pinned and leased revisions are kept, even
  if the target is missed. `HfHub.Cache.Revision` describes how the last use is determined. Partial files count too; they
  are removed by the time of their last write, or with the last revision of their repository.

  ## Options

  #{Options.docs(Tables.evict())}

  ## Examples

      {:ok, deletion} = HfHub.Cache.evict(target_size: 100_000_000_000)
      deletion.freed_size
  """
  @spec evict(keyword()) :: {:ok, Deletion.t()} | {:error, Error.t()}
  def evict(opts) do
    opts = Options.validate!(opts, Tables.evict())
    with {:ok, report} <- Engine.run(:evict, Engine.eviction(opts), opts), do: {:ok, Engine.deletion(report)}
  end

  @doc "Same as `evict/1`, but returns the deletion or raises `HfHub.Error`."
  @spec evict!(keyword()) :: Deletion.t()
  def evict!(opts), do: Error.unwrap!(evict(opts))

  @doc """
  Same as `evict/1`, but returns `:ok`, as in 0.3.

  ## Options

  #{Options.docs(Tables.evict_lru())}

  ## Examples

      iex> HfHub.Cache.evict_lru(target_size: 0, cache_dir: "/nowhere")
      :ok
  """
  @spec evict_lru(keyword()) :: :ok | {:error, Error.t()}
  def evict_lru(opts) do
    case opts |> Options.validate!(Tables.evict_lru()) |> evict() do
      {:ok, _deletion} -> :ok
      {:error, %Error{kind: :not_cached}} -> :ok
      {:error, error} -> {:error, error}
    end
  end

  @doc "Same as `evict_lru/1`, but raises `HfHub.Error`."
  @spec evict_lru!(keyword()) :: :ok
  def evict_lru!(opts), do: with({:error, error} <- evict_lru(opts), do: raise(error))

  @doc """
  Hashes all cached files and returns which are corrupt or missing.

  ## Options

  #{Options.docs(Tables.integrity())}

  ## Examples

      iex> HfHub.Cache.validate_integrity!(repo_id: "nobody/nothing").total_files
      0
  """
  @doc python: "verify_repo_checksums"
  @spec validate_integrity(keyword()) :: {:ok, Integrity.t()} | {:error, Error.t()}
  def validate_integrity(opts \\ []), do: Verification.run(opts)

  @doc "Same as `validate_integrity/1`, but returns the result or raises `HfHub.Error`."
  @spec validate_integrity!(keyword()) :: Integrity.t()
  def validate_integrity!(opts \\ []), do: Error.unwrap!(validate_integrity(opts))

  @doc """
  Returns the files of a cached revision, downloaded or not, as `HfHub.Api.list_repo_tree/2` returns them, without a
  request.

  Snapshot downloads store the listing of a commit. If there is none, the error is of kind `:not_cached`.

  ## Options

  #{Options.docs(Tables.tree())}

  ## Examples

      iex> {:error, error} = HfHub.Cache.tree("nobody/nothing")
      iex> error.kind
      :not_cached
  """
  @doc python: "get_cached_repo_tree"
  @spec tree(HfHub.repo(), keyword()) :: {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def tree(repo_id, opts \\ []), do: CachedTree.read(repo_id, opts)

  @doc "Same as `tree/2`, but returns the files or raises `HfHub.Error`."
  @spec tree!(HfHub.repo(), keyword()) :: [TreeEntry.t()]
  def tree!(repo_id, opts \\ []), do: Error.unwrap!(tree(repo_id, opts))

  @doc """
  Compares the files of a folder with a repository on the Hub: those that differ, are missing, or are not in it.

  The folder is one that `HfHub.Download` has filled with `:local_dir`, or any other copy. Its `.git` and
  `.cache/huggingface` are left out. A Hub that lists no hashes of the contents is an error of kind `:invalid_response`.

  ## Options

  #{Options.docs(Tables.folder())}

  ## Examples

      {:ok, found} = HfHub.Cache.verify_folder("models/gpt2", "openai-community/gpt2")
      for file <- found.mismatches, do: file.path
  """
  @doc python: "verify_repo_checksums"
  @spec verify_folder(Path.t(), HfHub.repo(), keyword()) ::
          {:ok, FolderVerification.t()} | {:error, Error.t()}
  def verify_folder(folder, repo_id, opts \\ []), do: FolderCheck.run(folder, repo_id, opts)

  @doc "Same as `verify_folder/3`, but returns the result or raises `HfHub.Error`."
  @spec verify_folder!(Path.t(), HfHub.repo(), keyword()) :: FolderVerification.t()
  def verify_folder!(folder, repo_id, opts \\ []), do: Error.unwrap!(verify_folder(folder, repo_id, opts))

  @doc """
  Protects a cached revision from removal until `release/1`, or until the calling process exits.

  The lease does not depend on the returned struct being kept. The files below its `:path` can be read meanwhile.

  ## Options

  #{Options.docs(Tables.revision())}

  ## Examples

      iex> {:error, error} = HfHub.Cache.lease("nobody/nothing")
      iex> error.kind
      :not_cached
  """
  @spec lease(HfHub.repo(), keyword()) :: {:ok, Lease.t()} | {:error, Error.t()}
  def lease(repo_id, opts \\ []), do: Leases.take(repo_id, opts)

  @doc "Same as `lease/2`, but returns the lease or raises `HfHub.Error`."
  @spec lease!(HfHub.repo(), keyword()) :: Lease.t()
  def lease!(repo_id, opts \\ []), do: Error.unwrap!(lease(repo_id, opts))

  @doc """
  Releases a lease. Releasing it again has no effect.

  ## Examples

      case HfHub.Cache.lease("openai-community/gpt2") do
        {:ok, lease} -> HfHub.Cache.release(lease)
        {:error, error} -> raise error
      end
  """
  @spec release(Lease.t()) :: :ok
  def release(%Lease{} = lease), do: Leases.release(lease)

  @doc """
  Pins a cached revision, which protects it from removal until `unpin/2`, and returns its commit.

  Only `force: true` removes a pinned revision. The pin is a file in the `.locks` folder of the cache; other clients
  ignore it.
  Options: those of `lease/2`.

  ## Examples

      iex> {:error, error} = HfHub.Cache.pin("nobody/nothing")
      iex> error.kind
      :not_cached
  """
  @spec pin(HfHub.repo(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def pin(repo_id, opts \\ []), do: Leases.mark(repo_id, opts, true)

  @doc "Same as `pin/2`, but returns the commit or raises `HfHub.Error`."
  @spec pin!(HfHub.repo(), keyword()) :: String.t()
  def pin!(repo_id, opts \\ []), do: Error.unwrap!(pin(repo_id, opts))

  @doc """
  Removes the pin of `pin/2` and returns the commit. Options: those of `pin/2`.

  ## Examples

      iex> HfHub.Cache.unpin("nobody/nothing", revision: String.duplicate("a", 40))
      {:ok, String.duplicate("a", 40)}
  """
  @spec unpin(HfHub.repo(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def unpin(repo_id, opts \\ []), do: Leases.mark(repo_id, opts, false)

  @doc "Same as `unpin/2`, but returns the commit or raises `HfHub.Error`."
  @spec unpin!(HfHub.repo(), keyword()) :: String.t()
  def unpin!(repo_id, opts \\ []), do: Error.unwrap!(unpin(repo_id, opts))

  @doc """
  Moves the whole cache to another folder, with the options of `HfHub.Cache.Transport.move/2`.

  ## Examples

      iex> {:error, %{kind: :not_cached}} =
      ...>   HfHub.Cache.move("/nowhere/new", cache_dir: "/nowhere/old")
  """
  @spec move(Path.t(), keyword()) :: {:ok, Path.t()} | {:error, Error.t()}
  defdelegate move(destination, opts \\ []), to: Transport

  @doc "Same as `move/2`, but returns the folder or raises `HfHub.Error`."
  @spec move!(Path.t(), keyword()) :: Path.t()
  defdelegate move!(destination, opts \\ []), to: Transport

  @doc """
  Writes repositories of the cache to one tar file, with the options of `HfHub.Cache.Transport.export/2`.

  ## Examples

      iex> {:error, %{kind: :not_cached}} = HfHub.Cache.export("gpt2.tar", cache_dir: "/nowhere")
  """
  @spec export(Path.t(), keyword()) :: {:ok, Archive.t()} | {:error, Error.t()}
  defdelegate export(archive, opts \\ []), to: Transport

  @doc "Same as `export/2`, but returns the archive or raises `HfHub.Error`."
  @spec export!(Path.t(), keyword()) :: Archive.t()
  defdelegate export!(archive, opts \\ []), to: Transport

  @doc """
  Imports an archive written by `export/2` into the cache, with the options of `HfHub.Cache.Transport.import/2`.

  ## Examples

      {:ok, archive} = HfHub.Cache.import("/media/usb/models.tar")
  """
  @spec import(Path.t(), keyword()) :: {:ok, Archive.t()} | {:error, Error.t()}
  defdelegate import(archive, opts \\ []), to: Transport

  @doc "Same as `import/2`, but returns what was imported or raises `HfHub.Error`."
  @spec import!(Path.t(), keyword()) :: Archive.t()
  defdelegate import!(archive, opts \\ []), to: Transport

  @doc """
  Copies the files of a cached revision to a plain folder, with the options of `HfHub.Cache.Transport.materialize/3`.

  ## Examples

      iex> {:error, %{kind: :not_cached}} = HfHub.Cache.materialize("nobody/nothing", "/tmp/model")
  """
  @spec materialize(HfHub.repo(), Path.t(), keyword()) :: {:ok, Folder.t()} | {:error, Error.t()}
  defdelegate materialize(repo_id, destination, opts \\ []), to: Transport

  @doc "Same as `materialize/3`, but returns the folder or raises `HfHub.Error`."
  @spec materialize!(HfHub.repo(), Path.t(), keyword()) :: Folder.t()
  defdelegate materialize!(repo_id, destination, opts \\ []), to: Transport

  @doc """
  Moves files that `hf_hub` 0.3 has stored into the shared layout, with the options of `HfHub.Cache.Transport.adopt/1`.

  ## Examples

      iex> {:error, %{kind: :not_cached}} = HfHub.Cache.adopt(cache_dir: "/nowhere")
  """
  @spec adopt(keyword()) :: {:ok, Adoption.t()} | {:error, Error.t()}
  defdelegate adopt(opts \\ []), to: Transport

  @doc "Same as `adopt/1`, but returns the adoption or raises `HfHub.Error`."
  @spec adopt!(keyword()) :: Adoption.t()
  defdelegate adopt!(opts \\ []), to: Transport
end
