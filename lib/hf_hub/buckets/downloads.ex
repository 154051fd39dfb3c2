defmodule HfHub.Buckets.Downloads do
  # Downloads files of a bucket to paths on this machine, several at a time.
  @moduledoc false

  require Logger

  alias HfHub.Buckets.{Files, Tables, TreeEntry}
  alias HfHub.Config.Source
  alias HfHub.{Config, Download, Error, Native, Options, RepoRef, Request, Telemetry}
  alias HfHub.Native.{Hub, Nif}
  alias HfHub.Progress.Reporter

  @type file :: {TreeEntry.t(), Path.t()}

  # Maximum number of files of a job, which has all of them in memory.
  @part 1_000

  # The largest size of a file that the engine accepts.
  @largest 0x7FFF_FFFF_FFFF_FFFF

  @doc "Returns pairs of what to download and where to, from the items of a call; others raise `ArgumentError`."
  @spec items!(term(), Path.t() | nil) :: [{String.t() | TreeEntry.t(), Path.t()}]
  def items!(items, local_dir) when is_list(items), do: Enum.map(items, &item!(&1, local_dir))

  def items!(other, _local_dir),
    do: raise(ArgumentError, "expected a list of files, got: #{Options.shown(other)}")

  defp item!({remote, local}, _local_dir) when is_binary(local) and local != "",
    do: {remote!(remote), Source.expand(local)}

  defp item!(remote, local_dir) do
    remote = remote!(remote)
    path = if is_binary(remote), do: remote, else: remote.path

    if local_dir == nil,
      do: raise(ArgumentError, "pass files as {file, local_path}, or the option :local_dir")

    {remote, Path.join(Source.expand(local_dir), path)}
  end

  defp remote!(path) when is_binary(path) and path != "", do: path
  defp remote!(%TreeEntry{type: :file} = entry), do: entry

  defp remote!(other),
    do:
      raise(
        ArgumentError,
        "expected the path of a file or a HfHub.Buckets.TreeEntry, got: #{Options.shown(other)}"
      )

  @doc "Looks up the entries of files that are given by their paths; those that do not exist are left out."
  @spec entries(RepoRef.t(), [{String.t() | TreeEntry.t(), Path.t()}], keyword()) ::
          {:ok, [file()]} | {:error, Error.t()}
  def entries(ref, items, opts) do
    paths = for {path, _local} when is_binary(path) <- items, do: path
    common = Keyword.take(opts, Keyword.keys(Tables.common()))

    with {:ok, found} <- Files.paths_info(ref, paths, common),
         by_path = Map.new(found, &{&1.path, &1}),
         missing = Enum.reject(paths, &is_map_key(by_path, &1)),
         :ok <- missing(ref, missing, opts[:raise_on_missing_files]) do
      {:ok,
       for(
         {remote, local} <- items,
         entry = if(is_binary(remote), do: by_path[remote], else: remote),
         do: {entry, local}
       )}
    end
  end

  defp missing(_ref, [], _raise?), do: :ok

  defp missing(ref, paths, raise?) do
    names = paths |> Enum.take(10) |> Enum.map_join(", ", &inspect/1)
    message = "the bucket #{inspect(ref.repo_id)} does not have #{length(paths)} of the files: #{names}"

    if raise? do
      {:error, Error.new(:entry_not_found, message, repo_id: ref.repo_id, path: hd(paths))}
    else
      Logger.warning(message <> "; they are skipped")
    end
  end

  @doc "Downloads files, and returns their paths on this machine. The first error ends all."
  @spec run(RepoRef.t(), [file()], keyword()) :: {:ok, [Path.t()]} | {:error, Error.t()}
  def run(_ref, [], _opts), do: {:ok, []}

  def run(ref, files, opts) do
    deadline = Request.deadline(opts[:timeout])

    with {:ok, hub} <- Hub.config(opts), :ok <- check(files), :ok <- named(ref, files) do
      metadata = metadata(ref, %{xet_hash: nil, path: nil}, hub)
      result = Telemetry.span(:download, metadata, hub.token, fn -> parts(ref, files, deadline, opts) end)
      with {:ok, _report} <- result, do: {:ok, for({_entry, local} <- files, do: local)}
    end
  end

  # One progress for all parts, whose totals are known before the first.
  defp parts(ref, files, deadline, opts) do
    totals = %{
      files_total: length(files),
      bytes_total: Enum.sum(for {entry, _local} <- files, do: entry.size)
    }

    reporter = Reporter.start(opts[:progress], ref.repo_id)

    files
    |> Stream.chunk_every(@part)
    |> Enum.reduce_while({:ok, nil, reporter}, fn part, {:ok, fallback, reporter} ->
      case part(ref, part, Reporter.part(reporter, totals), Request.until(opts, deadline)) do
        {:ok, {report, reporter}} -> {:cont, {:ok, fallback || report.fallback, reporter}}
        {:error, error} -> {:halt, {:error, failed(error, ref)}}
      end
    end)
    |> done(ref)
  end

  defp part(ref, files, reporter, opts) do
    with {:ok, hub} <- Hub.config(opts) do
      Native.run_part(:bucket_files, spec(ref, files, hub, opts), reporter)
    else
      {:error, error} ->
        Reporter.stop(reporter, :failed)
        {:error, error}
    end
  end

  defp done({:ok, fallback, reporter}, ref) do
    Reporter.stop(reporter, :done)
    if fallback, do: Download.log_fallback(ref.repo_id, fallback)
    {:ok, %{fallback: fallback, commit: nil}}
  end

  defp done({:error, error}, _ref), do: {:error, error}

  @doc "Returns a lazy stream of the bytes of a file; see `HfHub.Download.download_stream/1`."
  @spec stream(RepoRef.t(), keyword()) :: {:ok, Enumerable.t()} | {:error, Error.t()}
  def stream(%{path: path} = ref, opts) do
    opts = Options.validate!(opts, Keyword.delete(Options.transfer(), :max_connections))
    ref = %{ref | path: nil}

    with {:ok, hub} <- Hub.config(opts),
         {:ok, [{entry, _local}]} <- entries(ref, [{path, ""}], [raise_on_missing_files: true] ++ opts),
         :ok <- check([{entry, ""}]) do
      place = %{repo: %{repo_type: "bucket", id: ref.repo_id}, revision: entry.xet_hash, filename: entry.path}
      spec = Map.merge(place, %{hub: hub, part: :whole})
      observe = fn _spec -> Telemetry.start(:download, metadata(ref, entry, hub), hub.token) end
      {:ok, if(entry.size == 0, do: [], else: Native.stream(:stream, fn -> spec end, observe))}
    end
  end

  # All names before the first byte: those of a listing come from the network.
  defp check(files) do
    Enum.find_value(files, :ok, fn {entry, _local} ->
      names = %{repo: %{repo_type: "model", id: "any"}, revision: "main", path: nil, filename: entry.path}
      if fields = Nif.check_names(names), do: {:error, Error.from_native(fields)}
    end)
  end

  # Fields of a listing come from the network. The hash names the content; that of an empty file is known.
  defp named(ref, files) do
    Enum.find_value(files, :ok, fn {entry, _local} ->
      if missing = missing(entry) do
        message = "the Hub did not return the #{missing} of #{inspect(entry.path)} in #{inspect(ref.repo_id)}"

        {:error, Error.new(:invalid_response, message, repo_id: ref.repo_id, path: entry.path)}
      end
    end)
  end

  defp missing(%{size: size}) when not (is_integer(size) and size in 0..@largest), do: "size"
  defp missing(%{size: size, xet_hash: hash}) when size > 0 and not is_binary(hash), do: "Xet hash"
  defp missing(_entry), do: nil

  defp metadata(ref, entry, hub) do
    %{
      repo_id: ref.repo_id,
      repo_type: "bucket",
      revision: entry.xet_hash,
      filename: entry.path,
      endpoint: hub.endpoint
    }
  end

  # The hash names the content as a commit names that of a repository.
  defp spec(ref, files, hub, opts) do
    %{
      hub: hub,
      progress: opts[:progress] not in [nil, false],
      repo: %{repo_type: "bucket", id: ref.repo_id},
      destination: {:cache, Source.expand(Config.cache_dir())},
      max_workers: opts[:max_workers],
      files:
        for(
          {entry, local} <- files,
          do: %{revision: entry.xet_hash, filename: entry.path, size: entry.size, file: local}
        ),
      mode: %{
        force_download: false,
        local_files_only: false,
        dry_run: false,
        symlinks: false,
        shared_blobs: false
      }
    }
  end

  defp failed(%Error{kind: kind} = error, ref) when kind in [:entry_not_found, :not_found] do
    message = "the bucket #{inspect(ref.repo_id)} has no file #{inspect(error.path)}"
    %{error | kind: :entry_not_found, message: message, revision: nil}
  end

  defp failed(%Error{kind: :repo_not_found} = error, ref) do
    message =
      "the bucket #{inspect(ref.repo_id)} was not found; check its name, and whether the token has access"

    %{error | message: message, revision: nil}
  end

  defp failed(error, _ref), do: %{error | revision: nil}
end
