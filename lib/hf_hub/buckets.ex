defmodule HfHub.Buckets do
  @moduledoc """
  Buckets: storage for files without a history, such as checkpoints, logs and raw data.

      {:ok, url} = HfHub.Buckets.create("me/data", private: true)

      {:ok, _files} =
        HfHub.Buckets.upload("me/data", [{{:path, "out/model.safetensors"}, "model.safetensors"}])

      {:ok, plan} = HfHub.Buckets.sync("logs", "hf://buckets/me/data/logs", delete: true)
      {:ok, entries} = HfHub.Buckets.list_tree("me/data", prefix: "logs/")
      :ok = HfHub.Buckets.copy("hf://datasets/me/corpus/train/", "hf://buckets/me/data/train/")

  A bucket has no commits and no revisions: a file that is replaced or deleted is gone. Its contents are in Xet storage,
  where each is named by its Xet hash.

  ## Addresses

  A bucket is named by its id, `"namespace/name"`, by `"hf://buckets/namespace/name"`, by the URL of its page, or by an
  `HfHub.Buckets.Bucket`. A function that takes the place of files accepts a path after the id:
  `"hf://buckets/namespace/name/path"`.
  """

  alias HfHub.Buckets.{
    Batch,
    Bucket,
    Call,
    Copying,
    Downloads,
    Event,
    Events,
    FileMetadata,
    Files,
    Operation,
    Sync
  }

  alias HfHub.Buckets.{SyncPlan, Tables, TreeEntry, Uploads}

  alias HfHub.{Account, Config, Decode, Error, Options, RepoRef, Request}
  alias HfHub.Repo.{Address, RepoUrl}

  @typedoc "A bucket; see \"Addresses\" above."
  @type bucket :: String.t() | Bucket.t()

  @doc """
  Creates a bucket and returns its URL. A name without a namespace creates it in the namespace of the token's account.

  A bucket that already exists is an error of kind `:conflict`, unless `exist_ok: true`.

  ## Options

  #{Options.docs(Tables.create())}

  ## Examples

      {:ok, url} = HfHub.Buckets.create("me/data", private: true, exist_ok: true)
      url.repo_id
      #=> "me/data"
  """
  @doc python: "create_bucket"
  @spec create(String.t(), keyword()) :: {:ok, RepoUrl.t()} | {:error, Error.t()}
  def create(name, opts \\ []) do
    opts = Options.validate!(opts, Tables.create())
    body = %{visibility: visibility!(opts), resourceGroupId: opts[:resource_group_id], region: opts[:region]}

    with {:ok, ref} <- Call.whole(in_namespace(name), opts) do
      Call.request(:post, "", ref, opts)
      |> Request.json(body)
      |> Request.run(&Address.answered(&1, ref, endpoint(opts)))
      |> unless_there(ref, opts)
    end
  end

  @doc "Same as `create/2`, but returns the `HfHub.Repo.RepoUrl` or raises `HfHub.Error`."
  @spec create!(String.t(), keyword()) :: RepoUrl.t()
  def create!(name, opts \\ []), do: Error.unwrap!(create(name, opts))

  @doc """
  Returns a bucket: its size, number of files and visibility.

  ## Options

  #{Options.docs(Tables.common())}

  ## Examples

      {:ok, bucket} = HfHub.Buckets.get("me/data")
      {bucket.total_files, bucket.size}
  """
  @doc python: "bucket_info"
  @spec get(bucket(), keyword()) :: {:ok, Bucket.t()} | {:error, Error.t()}
  def get(bucket, opts \\ []) do
    Call.request(:get, "", bucket, Options.validate!(opts, Tables.common())) |> Request.run(Bucket)
  end

  @doc "Same as `get/2`, but returns the bucket or raises `HfHub.Error`."
  @spec get!(bucket(), keyword()) :: Bucket.t()
  def get!(bucket, opts \\ []), do: Error.unwrap!(get(bucket, opts))

  @doc """
  Returns the buckets of a user or an organization.

  ## Options

  #{Options.docs(Tables.list())}

  ## Examples

      {:ok, buckets} = HfHub.Buckets.list(namespace: "my-org", search: "logs")
      for bucket <- buckets, do: {bucket.id, bucket.size}
  """
  @doc python: "list_buckets"
  @spec list(keyword()) :: {:ok, [Bucket.t()]} | {:error, Error.t()}
  def list(opts \\ []) do
    opts = Options.validate!(opts, Tables.list())
    Request.list(search(opts), opts[:limit], Bucket)
  end

  @doc "Same as `list/1`, but returns the buckets or raises `HfHub.Error`."
  @spec list!(keyword()) :: [Bucket.t()]
  def list!(opts \\ []), do: Error.unwrap!(list(opts))

  @doc """
  Returns the buckets of a user or an organization as a lazy stream. Options: those of `list/1` but `:limit`.

  ## Examples

      HfHub.Buckets.stream(namespace: "my-org") |> Enum.sort_by(& &1.size, :desc)
  """
  @doc python: "list_buckets"
  @spec stream(keyword()) :: Enumerable.t()
  def stream(opts \\ []),
    do: Request.stream(search(Options.validate!(opts, Tables.stream())), Bucket)

  @doc """
  Deletes a bucket with all its files. This cannot be undone.

  ## Options

  #{Options.docs(Tables.delete())}

  ## Examples

      HfHub.Buckets.delete("me/data", missing_ok: true)
      #=> :ok
  """
  @doc python: "delete_bucket"
  @spec delete(bucket(), keyword()) :: :ok | {:error, Error.t()}
  def delete(bucket, opts \\ []) do
    opts = Options.validate!(opts, Tables.delete())

    case Call.request(:delete, "", bucket, opts) |> Request.effect() do
      {:error, %Error{status: 404} = error} -> if opts[:missing_ok], do: :ok, else: {:error, error}
      result -> result
    end
  end

  @doc "Same as `delete/2`, but raises `HfHub.Error` on failure."
  @spec delete!(bucket(), keyword()) :: :ok
  def delete!(bucket, opts \\ []), do: Error.unwrap!(delete(bucket, opts))

  @doc """
  Renames a bucket or transfers it to another owner, and returns its new URL.

  ## Options

  #{Options.docs(Tables.common())}

  ## Examples

      {:ok, url} = HfHub.Buckets.move("me/data", "my-org/data")
  """
  @doc python: "move_bucket"
  @spec move(bucket(), String.t(), keyword()) :: {:ok, RepoUrl.t()} | {:error, Error.t()}
  def move(from, to, opts \\ []) do
    opts = Options.validate!(opts, Tables.common())

    with {:ok, from} <- Call.whole(from, opts),
         {:ok, to} <- Call.whole(to, opts),
         body = %{fromRepo: from.repo_id, toRepo: to.repo_id, type: "bucket"},
         request = %{Request.new(:post, "/api/repos/move", [], opts) | ref: from},
         :ok <- request |> Request.json(body) |> Request.effect(),
         do: {:ok, Address.of(to, endpoint(opts))}
  end

  @doc "Same as `move/3`, but returns the `HfHub.Repo.RepoUrl` or raises `HfHub.Error`."
  @spec move!(bucket(), String.t(), keyword()) :: RepoUrl.t()
  def move!(from, to, opts \\ []), do: Error.unwrap!(move(from, to, opts))

  @doc """
  Updates the visibility of a bucket.

  ## Options

  #{Options.docs(Tables.settings())}

  ## Examples

      HfHub.Buckets.update_settings("me/data", private: false)
      #=> :ok
  """
  @doc python: "update_bucket_settings"
  @spec update_settings(bucket(), keyword()) :: :ok | {:error, Error.t()}
  def update_settings(bucket, opts) do
    opts = Options.validate!(opts, Tables.settings())

    Call.request(:put, "/settings", bucket, opts)
    |> Request.json(%{private: opts[:private]})
    |> Request.effect()
  end

  @doc "Same as `update_settings/2`, but raises `HfHub.Error` on failure."
  @spec update_settings!(bucket(), keyword()) :: :ok
  def update_settings!(bucket, opts), do: Error.unwrap!(update_settings(bucket, opts))

  @doc """
  Returns the files and folders of a bucket whose paths begin with a prefix.

  ## Options

  #{Options.docs(Tables.list_tree())}

  ## Examples

      {:ok, entries} = HfHub.Buckets.list_tree("me/data", prefix: "logs/", recursive: true)
      for %{type: :file} = file <- entries, do: {file.path, file.size}
  """
  @doc python: "list_bucket_tree"
  @spec list_tree(bucket(), keyword()) :: {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def list_tree(bucket, opts \\ []), do: Files.list_tree(bucket, opts)

  @doc "Same as `list_tree/2`, but returns the entries or raises `HfHub.Error`."
  @spec list_tree!(bucket(), keyword()) :: [TreeEntry.t()]
  def list_tree!(bucket, opts \\ []), do: Error.unwrap!(list_tree(bucket, opts))

  @doc """
  Returns the files and folders of a bucket as a lazy stream. Options: those of `list_tree/2` but `:limit`.

  ## Examples

      HfHub.Buckets.stream_tree("me/data", recursive: true) |> Enum.find(&(&1.size > 1_000_000_000))
  """
  @doc python: "list_bucket_tree"
  @spec stream_tree(bucket(), keyword()) :: Enumerable.t()
  def stream_tree(bucket, opts \\ []), do: Files.stream_tree(bucket, opts)

  @doc """
  Returns the files at the given paths. Paths that do not exist, and those of folders, are left out.

  ## Options

  #{Options.docs(Tables.common())}

  ## Examples

      {:ok, [file]} = HfHub.Buckets.paths_info("me/data", ["config.json"])
      file.size
  """
  @doc python: "get_bucket_paths_info"
  @spec paths_info(bucket(), [String.t()], keyword()) :: {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def paths_info(bucket, paths, opts \\ []), do: Files.paths_info(bucket, paths, opts)

  @doc "Same as `paths_info/3`, but returns the files or raises `HfHub.Error`."
  @spec paths_info!(bucket(), [String.t()], keyword()) :: [TreeEntry.t()]
  def paths_info!(bucket, paths, opts \\ []), do: Error.unwrap!(paths_info(bucket, paths, opts))

  @doc """
  Returns the files at the given paths, an enumerable, as a lazy stream: one request for 1,000 paths. Options: those of
  `paths_info/3`.

  ## Examples

      HfHub.Buckets.stream_paths_info(
        "me/data",
        File.stream!("paths.txt") |> Stream.map(&String.trim/1)
      )
  """
  @doc python: "get_bucket_paths_info"
  @spec stream_paths_info(bucket(), Enumerable.t(), keyword()) :: Enumerable.t()
  def stream_paths_info(bucket, paths, opts \\ []), do: Files.stream_paths_info(bucket, paths, opts)

  @doc """
  Returns the size and the Xet hash of a file, from the headers of its URL. A missing file is an error of kind
  `:entry_not_found`.

  ## Options

  #{Options.docs(Tables.common())}

  ## Examples

      {:ok, metadata} = HfHub.Buckets.file_metadata("me/data", "model.safetensors")
      metadata.size
  """
  @doc python: "get_bucket_file_metadata"
  @spec file_metadata(bucket(), String.t(), keyword()) :: {:ok, FileMetadata.t()} | {:error, Error.t()}
  def file_metadata(bucket, path, opts \\ []), do: Files.metadata(bucket, path, opts)

  @doc "Same as `file_metadata/3`, but returns the metadata or raises `HfHub.Error`."
  @spec file_metadata!(bucket(), String.t(), keyword()) :: FileMetadata.t()
  def file_metadata!(bucket, path, opts \\ []), do: Error.unwrap!(file_metadata(bucket, path, opts))

  @doc """
  Adds, copies and deletes files, given as a list of `HfHub.Buckets.Operation`s.

  Contents of added files are uploaded first. Files are added and copied before files are deleted; 1,000 operations are one
  request. The operations are no transaction: if some fail, the others are applied, and the error has the failed ones in
  `error.details["failed"]`, each with its `"path"` and `"error"`.

  ## Options

  #{Options.docs(Tables.upload())}

  ## Examples

      alias HfHub.Buckets.Operation

      [file] = HfHub.Buckets.paths_info!("me/data", ["new/model.safetensors"])

      :ok =
        HfHub.Buckets.batch("me/data", [
          Operation.add("config.json", {:binary, "{}"}),
          Operation.copy("model.safetensors", file.xet_hash, "me/data"),
          Operation.delete("new/model.safetensors")
        ])
  """
  @doc python: "batch_bucket_files"
  @spec batch(bucket(), [Operation.t()], keyword()) :: :ok | {:error, Error.t()}
  def batch(bucket, operations, opts \\ []) do
    opts = Options.validate!(opts, Tables.upload())
    operations = Batch.operations!(operations)
    with {:ok, ref} <- Call.whole(bucket, opts), do: Batch.apply(ref, operations, opts)
  end

  @doc "Same as `batch/3`, but raises `HfHub.Error` on failure."
  @spec batch!(bucket(), [Operation.t()], keyword()) :: :ok
  def batch!(bucket, operations, opts \\ []), do: Error.unwrap!(batch(bucket, operations, opts))

  @doc """
  Uploads files to a bucket, and returns them as `list_tree/2` does. Existing files are replaced.

  Each file is `{content, path}`, whose content is `{:path, path}`, `{:binary, iodata}` or `{:stream, enumerable}`, or an
  operation of `HfHub.Buckets.Operation.add/3`, which has options. The storage of buckets is Xet: it stores equal parts of
  files once, so parts that it has are not sent. To resume an interrupted upload, call the function again. A file that
  changes during its upload is an error. An upload stops when the calling process exits. `HF_HUB_DISABLE_XET` has no effect,
  because buckets have no other storage; with `xet: false` an upload is an error.

  Up to 1,000 files are uploaded together, and are in the bucket once all of them are uploaded; of more files, each
  thousand is in the bucket before the next one begins.

  ## Options

  #{Options.docs(Tables.upload())}

  ## Examples

      {:ok, [file, _notes]} =
        HfHub.Buckets.upload("me/data", [
          {{:path, "out/model.safetensors"}, "models/model.safetensors"},
          {{:binary, "hello"}, "notes.txt"}
        ])

      file.xet_hash
  """
  @doc python: "batch_bucket_files"
  @spec upload(bucket(), [{Operation.content(), String.t()} | Operation.Add.t()], keyword()) ::
          {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def upload(bucket, files, opts \\ []) do
    opts = Options.validate!(opts, Tables.upload())
    adds = Uploads.items!(files)

    with {:ok, ref} <- Call.whole(bucket, opts),
         {:ok, added} <- Batch.run(ref, adds, opts),
         do: {:ok, Enum.map(added, &Uploads.entry/1)}
  end

  @doc "Same as `upload/3`, but returns the files or raises `HfHub.Error`."
  @spec upload!(bucket(), [{Operation.content(), String.t()} | Operation.Add.t()], keyword()) :: [
          TreeEntry.t()
        ]
  def upload!(bucket, files, opts \\ []), do: Error.unwrap!(upload(bucket, files, opts))

  @doc """
  Copies a file or a folder on the Hub: from a bucket or a repository to a bucket, or from a repository to a repository.

  Both places are `hf://` URIs or the URLs of pages. As with `cp -r`, a folder is copied into the destination if that is an
  existing folder; a source that ends in `/` stands for what is in the folder. A copy to a repository is a commit. Files
  named `.gitattributes` are not copied to a bucket.

  The Hub copies contents that are in Xet storage. Small files of repositories often are not: they are downloaded to the
  cache and uploaded to the bucket.

  ## Options

  #{Options.docs(Tables.upload())}

  ## Examples

      HfHub.Buckets.copy("hf://datasets/me/corpus/train/", "hf://buckets/me/data/train/")
      #=> :ok
  """
  @doc python: "copy_files"
  @spec copy(String.t(), String.t(), keyword()) :: :ok | {:error, Error.t()}
  def copy(source, destination, opts \\ []),
    do: Copying.run(source, destination, Options.validate!(opts, Tables.upload()))

  @doc "Same as `copy/3`, but raises `HfHub.Error` on failure."
  @spec copy!(String.t(), String.t(), keyword()) :: :ok
  def copy!(source, destination, opts \\ []), do: Error.unwrap!(copy(source, destination, opts))

  @doc """
  Downloads files of a bucket, and returns their paths on this machine.

  Each file is given by its path in the bucket or as an `HfHub.Buckets.TreeEntry`, or as `{file, local_path}`. Existing
  files are replaced once the new content is complete. An interrupted download of a file for which the Hub announces a
  checksum resumes where it stopped.

  All files are one download: `:progress` and telemetry report them together, as those of a snapshot.

  ## Options

  #{Options.docs(Tables.download())}

  ## Examples

      files = HfHub.Buckets.stream_tree("me/data", prefix: "logs/", recursive: true)

      {:ok, paths} =
        HfHub.Buckets.download("me/data", Enum.filter(files, &(&1.type == :file)), local_dir: "data")
  """
  @doc python: "download_bucket_files"
  @spec download(bucket(), [file | {file, Path.t()}], keyword()) :: {:ok, [Path.t()]} | {:error, Error.t()}
        when file: String.t() | TreeEntry.t()
  def download(bucket, files, opts \\ []) do
    opts = Options.validate!(opts, Tables.download())
    items = Downloads.items!(files, opts[:local_dir])

    with {:ok, ref} <- Call.whole(bucket, opts),
         {:ok, files} <- Downloads.entries(ref, items, opts),
         do: Downloads.run(ref, files, opts)
  end

  @doc "Same as `download/3`, but returns the paths or raises `HfHub.Error`."
  @spec download!(bucket(), [file | {file, Path.t()}], keyword()) :: [Path.t()]
        when file: String.t() | TreeEntry.t()
  def download!(bucket, files, opts \\ []), do: Error.unwrap!(download(bucket, files, opts))

  @doc """
  Makes a folder on this machine equal to a bucket or to a folder in it, or the reverse, and returns the plan that was
  carried out.

  One of the places is the path of a folder, the other an address. A file is transferred if its size differs, or if it was
  changed more than a second after the other one; `:delete` removes what the source does not have. Metadata of downloads
  below `.cache/huggingface` is left alone. Files are uploaded as by `upload/3` and downloaded as by `download/3`.

  ## Options

  #{Options.docs(Tables.sync())}

  ## Examples

      {:ok, plan} =
        HfHub.Buckets.sync("hf://buckets/me/data/logs", "logs", delete: true, dry_run: true)

      IO.puts(plan)
      #=> sync hf://buckets/me/data/logs -> logs: 0 uploads, 1 downloads, …
      #=>   download 2026-01-02.txt (new file)
  """
  @doc python: "sync_bucket"
  @spec sync(String.t(), String.t(), keyword()) :: {:ok, SyncPlan.t()} | {:error, Error.t()}
  def sync(source, dest, opts \\ []), do: Sync.run(source, dest, Options.validate!(opts, Tables.sync()))

  @doc "Same as `sync/3`, but returns the plan or raises `HfHub.Error`."
  @spec sync!(String.t(), String.t(), keyword()) :: SyncPlan.t()
  def sync!(source, dest, opts \\ []), do: Error.unwrap!(sync(source, dest, opts))

  @doc """
  Carries out a plan of `sync/3`, or one that `sync/3` or the Python client has saved to a file, and returns it.

  Nothing is compared again: files that were changed since are transferred as they are now, and a file to download that the
  bucket no longer has is skipped with a warning.

  ## Options

  #{Options.docs(Tables.upload())}

  ## Examples

      {:ok, plan} = HfHub.Buckets.sync("logs", "hf://buckets/me/data/logs", plan: "plan.jsonl")
      IO.puts(plan)
      HfHub.Buckets.apply_plan("plan.jsonl")
  """
  @doc python: "sync_bucket"
  @spec apply_plan(SyncPlan.t() | Path.t(), keyword()) :: {:ok, SyncPlan.t()} | {:error, Error.t()}
  def apply_plan(plan, opts \\ []), do: Sync.apply(plan, Options.validate!(opts, Tables.upload()))

  @doc "Same as `apply_plan/2`, but returns the plan or raises `HfHub.Error`."
  @spec apply_plan!(SyncPlan.t() | Path.t(), keyword()) :: SyncPlan.t()
  def apply_plan!(plan, opts \\ []), do: Error.unwrap!(apply_plan(plan, opts))

  @doc """
  Returns the changes of a bucket as a lazy stream of `HfHub.Buckets.Event`s. A broken connection is opened again after the
  last event.

  The stream raises `HfHub.Error`, also where the Hub has no events (404 or 501) or the token has no access. `:timeout` ends
  it without an error.

  ## Options

  #{Options.docs(Tables.events())}

  ## Examples

      for %{type: :changes, changes: changes} <- HfHub.Buckets.events("me/data"),
          change <- changes,
          do: IO.puts("\#{change.op} \#{change.path}")
  """
  @spec events(bucket(), keyword()) :: Enumerable.t(Event.t())
  def events(bucket, opts \\ []) do
    opts = Options.validate!(opts, Tables.events())
    if opts[:cursor] && opts[:since], do: raise(ArgumentError, ":cursor cannot be combined with :since")
    bucket |> Call.whole(opts) |> Error.unwrap!() |> Events.stream(opts)
  end

  # The Hub's name for the namespace of the token's account.
  defp in_namespace(name) when is_binary(name),
    do: if(String.contains?(name, "/"), do: name, else: "me/" <> name)

  defp in_namespace(other), do: other

  defp visibility!(opts) do
    case {opts[:private], opts[:visibility]} do
      {nil, visibility} -> visibility
      {private?, nil} -> if private?, do: :private, else: :public
      {_private, _visibility} -> raise ArgumentError, ":private cannot be combined with :visibility"
    end
  end

  # A token that may not create buckets can still see that this one exists.
  defp unless_there({:error, %Error{status: status} = error}, ref, opts) when status in [401, 403, 409] do
    if opts[:exist_ok], do: existing(error, ref, opts), else: {:error, error}
  end

  defp unless_there(result, _ref, _opts), do: result

  defp existing(error, ref, opts) do
    common = Keyword.take(opts, Keyword.keys(Tables.common()))

    case {Decode.get(error.details, "url"), error.status} do
      {url, 409} when is_binary(url) ->
        {:ok, Address.answered(%{"url" => url}, ref, endpoint(opts))}

      {_none, 409} ->
        named(ref, common)

      {_none, _status} ->
        with({:ok, bucket} <- get(ref.repo_id, common), do: url(bucket.id, common)) |> instead(error)
    end
  end

  defp named(%{repo_id: "me/" <> name}, opts) do
    with {:ok, account} <- Account.name(nil, opts), do: url("#{account}/#{name}", opts)
  end

  defp named(ref, opts), do: url(ref.repo_id, opts)

  defp url(id, opts) do
    with {:ok, ref} <- RepoRef.bucket(id, opts), do: {:ok, Address.of(ref, endpoint(opts))}
  end

  defp instead({:ok, url}, _error), do: {:ok, url}
  defp instead(_failed, error), do: {:error, error}

  defp endpoint(opts), do: opts[:endpoint] || Config.endpoint()

  defp search(opts) do
    Request.new(:get, "/api/buckets/:namespace", [namespace: opts[:namespace] || "me"], opts)
    |> Request.query(search: opts[:search])
  end
end
