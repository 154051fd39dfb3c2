defmodule HfHub.Buckets.Uploads do
  # Uploads the contents of added files to the storage of a bucket, which then names them by their Xet hashes.
  @moduledoc false

  alias HfHub.Buckets.{Operation, TreeEntry}
  alias HfHub.Config.Source
  alias HfHub.{Error, Native, Options, RepoRef, Spool, Telemetry}
  alias HfHub.Native.Hub
  alias HfHub.Progress.Reporter

  @doc "Returns the operations that add files, from the items of a call; others raise `ArgumentError`."
  @spec items!(term()) :: [Operation.Add.t()]
  def items!(items) when is_list(items), do: Enum.map(items, &item!/1)
  def items!(other), do: raise(ArgumentError, "expected a list of files, got: #{Options.shown(other)}")

  defp item!(%Operation.Add{} = add), do: add
  defp item!({{kind, _content} = content, path}) when is_atom(kind), do: Operation.add(path, content)

  defp item!(other) do
    raise ArgumentError,
          "expected files as {content, path}, such as {{:path, \"out/a.bin\"}, \"a.bin\"}, got #{Options.sort(other)}"
  end

  @doc "Returns the reporter of an upload, or `nil` if it uploads no content."
  @spec reporter(RepoRef.t(), [Operation.t()], keyword()) :: Reporter.t()
  def reporter(ref, operations, opts) do
    if Enum.any?(operations, &content/1), do: Reporter.start(opts[:progress], ref.repo_id)
  end

  @doc "Returns the totals of an upload in several parts. The number of bytes is unknown if any content is a stream."
  @spec totals([Operation.t()]) :: %{files_total: non_neg_integer(), bytes_total: non_neg_integer() | nil}
  def totals(operations) do
    sizes = for operation <- operations, content = content(operation), do: size(content)
    %{files_total: length(sizes), bytes_total: if(nil not in sizes, do: Enum.sum(sizes))}
  end

  defp size({:stream, _stream}), do: nil
  defp size({:binary, bytes}), do: IO.iodata_length(bytes)

  defp size({:path, path}) do
    case :file.read_file_info(Source.expand(path), [:raw]) do
      {:ok, info} -> elem(info, 1)
      # The upload returns it.
      {:error, _reason} -> 0
    end
  end

  @doc """
  Uploads the contents that are on this machine; returns the operations with `{:xet, hash}` instead, and the reporter for
  what follows. After an error, the reporter has ended.
  """
  @spec store(RepoRef.t(), [Operation.t()], Reporter.t(), keyword()) ::
          {:ok, [Operation.t()], Reporter.t()} | {:error, Error.t()}
  def store(ref, operations, reporter, opts) do
    case Enum.filter(operations, &content/1) do
      [] -> {:ok, operations, reporter}
      adds -> store(ref, adds, operations, reporter, opts)
    end
  end

  defp store(ref, adds, operations, reporter, opts) do
    case Spool.with_sources(adds, &content/1, &file/2, &run(ref, &1, reporter, opts)) do
      {:ok, {stored, reporter}} ->
        {:ok, stored(operations, stored), reporter}

      {:ended, error} ->
        {:error, error}

      {:error, error} ->
        Reporter.stop(reporter, :failed)
        {:error, error}
    end
  end

  defp content(%Operation.Add{content: {:xet, _hash}}), do: nil
  defp content(%Operation.Add{content: content}), do: content
  defp content(_other), do: nil

  defp file(add, source), do: {:ok, Map.put(source, :path, add.path)}

  defp run(ref, files, reporter, opts) do
    # Buckets have no other storage, so the setting for repositories does not apply, as in the Python client.
    xet = if opts[:xet] == nil, do: :auto, else: opts[:xet]

    with {:ok, hub} <- Hub.config(Keyword.put(opts, :xet, xet)) do
      metadata = %{
        operation: :bucket,
        repo_id: ref.repo_id,
        repo_type: "bucket",
        revision: nil,
        endpoint: hub.endpoint
      }

      Telemetry.span(:upload, metadata, hub.token, fn ->
        Native.run_part(:store, spec(ref, files, hub, opts), reporter)
      end)
      |> without_revision()
    end
  end

  defp spec(ref, files, hub, opts) do
    %{
      hub: hub,
      progress: opts[:progress] not in [nil, false],
      bucket: %{repo_type: "bucket", id: ref.repo_id},
      files: files,
      tuning: %{
        workers: opts[:max_workers],
        connections: max(hub.max_connections, opts[:max_workers]),
        silence: opts[:upload_timeout]
      }
    }
  end

  # A bucket has none.
  defp without_revision({:error, error}), do: {:ended, %{error | revision: nil}}
  defp without_revision(ok), do: ok

  defp stored([], []), do: []

  defp stored([operation | rest], stored) do
    if content(operation),
      do: [stored_add(operation, hd(stored)) | stored(rest, tl(stored))],
      else: [operation | stored(rest, stored)]
  end

  defp stored_add(add, stored) do
    mtime = add.mtime || if(ms = stored.modified, do: DateTime.from_unix!(ms, :millisecond))
    %{add | content: {:xet, stored.hash}, size: stored.size, mtime: mtime || DateTime.utc_now()}
  end

  @doc "Returns the file that an operation has added."
  @spec entry(Operation.Add.t()) :: TreeEntry.t()
  def entry(%Operation.Add{content: {:xet, hash}} = add) do
    %TreeEntry{
      type: :file,
      path: add.path,
      size: add.size,
      xet_hash: hash,
      mtime: add.mtime,
      content_type: add.content_type
    }
  end
end
