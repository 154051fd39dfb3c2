defmodule HfHub.Buckets.Sync do
  # Makes the plan of a synchronization, by the rules of the Python client.
  @moduledoc false

  alias HfHub.Buckets.{Execution, Files, Filter, SyncOperation, SyncPlan, Tables}
  alias HfHub.Config.Source
  alias HfHub.{Error, LocalFiles, Options, RepoRef}
  alias HfHub.Error.Io
  alias HfHub.Native.Nif

  # Times that differ by less count as equal, in milliseconds.
  @window 1000

  @doc "Makes the plan, and carries it out unless it is only to be returned or saved."
  @spec run(String.t(), String.t(), keyword()) :: {:ok, SyncPlan.t()} | {:error, Error.t()}
  def run(source, dest, opts) do
    check!(opts)

    with {:ok, way} <- way(source, dest, opts),
         {:ok, filter} <- Filter.new(opts),
         {:ok, plan, entries} <- plan(way, filter, {source, dest}, opts),
         :ok <- finish(plan, way, entries, opts),
         do: {:ok, plan}
  end

  defp check!(opts) do
    for {one, other} <- [ignore_times: :ignore_sizes, existing: :ignore_existing, dry_run: :plan],
        opts[one] && opts[other],
        do: raise(ArgumentError, "#{inspect(one)} cannot be combined with #{inspect(other)}")
  end

  # The direction, the bucket and the prefix in it, and the folder on this machine.
  defp way(source, dest, opts) do
    case {address?(source), address?(dest)} do
      {true, false} ->
        with {:ok, ref} <- RepoRef.bucket(source, opts),
             {:ok, folder} <- folder(dest, false),
             do: toward(:download, ref, folder)

      {false, true} ->
        with {:ok, ref} <- RepoRef.bucket(dest, opts),
             {:ok, folder} <- folder(source, true),
             do: toward(:upload, ref, folder)

      {both?, _both} ->
        got =
          if both?,
            do: "both are addresses; HfHub.Buckets.copy/3 copies files on the Hub",
            else: "neither is an hf:// URI or the URL of a page"

        message = "expected the address of a bucket and the path of a folder, and #{got}"
        {:error, Error.new(:invalid_name, message)}
    end
  end

  defp toward(action, ref, folder),
    do: {:ok, %{action: action, bucket: %{ref | path: nil}, prefix: ref.path, folder: folder}}

  defp address?(text), do: is_binary(text) and text =~ ~r"\A(hf|https?)://"

  defp folder(path, required?) when is_binary(path) and path != "" do
    path = Source.expand(path)

    if File.dir?(path) or (not required? and not File.exists?(path)),
      do: {:ok, path},
      else: {:error, Error.new(:io, "`#{path}` is not a folder", path: path)}
  end

  defp folder(_other, _required?),
    do: {:error, Error.new(:invalid_name, "expected the path of a folder as a string")}

  defp plan(way, filter, {source, dest}, opts) do
    with {:ok, entries} <- remote(way, opts),
         entries = Map.filter(entries, fn {path, _entry} -> Filter.matches?(filter, path) end),
         {:ok, local} <- local(way, Map.keys(entries), opts) do
      local = Map.filter(local, fn {path, _info} -> Filter.matches?(filter, path) end)
      paths = Enum.sort(Enum.uniq(Map.keys(local) ++ Map.keys(entries)))

      operations =
        for path <- paths,
            operation = operation(way.action, path, local[path], entries[path], opts),
            do: operation

      {:ok, %SyncPlan{source: source, dest: dest, timestamp: DateTime.utc_now(), operations: operations},
       entries}
    end
  end

  defp remote(way, opts) do
    common = Keyword.take(opts, Keyword.keys(Tables.common()))
    entries = Files.stream_tree(way.bucket, [prefix: way.prefix, recursive: true] ++ common)

    {:ok,
     for(
       %{type: :file} = entry <- entries,
       path = below(entry.path, way.prefix),
       into: %{},
       do: {path, checked!(entry, path)}
     )}
  rescue
    # A bucket that does not exist yet has no files.
    error in Error ->
      if way.action == :upload and error.kind == :repo_not_found, do: {:ok, %{}}, else: {:error, error}
  end

  # The Hub compares prefixes letter by letter, so that "logs" also matches "logs.json".
  defp below(path, nil), do: path
  defp below(path, path), do: Path.basename(path)

  defp below(path, prefix),
    do: if(String.starts_with?(path, prefix <> "/"), do: String.replace_prefix(path, prefix <> "/", ""))

  # The path comes from the network and is joined to the folder.
  defp checked!(entry, path), do: if(error = wrong_name(path), do: raise(error), else: entry)

  defp wrong_name(path) do
    names = %{repo: %{repo_type: "model", id: "any"}, revision: "main", path: nil, filename: path}
    if fields = Nif.check_names(names), do: Error.from_native(fields)
  end

  defp local(%{action: :upload, folder: folder}, _paths, _opts), do: LocalFiles.all(folder)

  # Only files to delete require that the whole folder is listed.
  defp local(%{folder: folder}, paths, opts) do
    if opts[:delete] and File.dir?(folder), do: LocalFiles.all(folder), else: LocalFiles.some(folder, paths)
  end

  defp operation(:upload, path, local, nil, opts) when local != nil, do: new(:upload, path, local, nil, opts)

  defp operation(:download, path, nil, entry, opts) when entry != nil,
    do: new(:download, path, nil, entry, opts)

  defp operation(action, path, local, entry, opts) when local == nil or entry == nil do
    if opts[:delete],
      do:
        shown(:delete, path, "not in source", local, entry, if(action == :upload, do: :remote, else: :local))
  end

  defp operation(action, path, local, entry, opts), do: compared(action, path, local, entry, opts)

  defp new(action, path, local, entry, opts) do
    side = if action == :upload, do: :local, else: :remote

    if opts[:existing],
      do: shown(:skip, path, "new file", local, entry, side),
      else: shown(action, path, "new file", local, entry, side)
  end

  defp compared(action, path, {local_size, _time} = local, entry, opts) do
    side = if action == :upload, do: :local, else: :remote
    skip = &shown(:skip, path, &1, local, entry, side)
    transfer = &shown(action, path, &1, local, entry, side)
    size? = local_size != entry.size
    newer? = newer?(action, local, entry)

    {source, dest} =
      if action == :upload, do: {"local newer", "remote newer"}, else: {"remote newer", "local newer"}

    cond do
      opts[:ignore_existing] -> skip.("exists on receiver")
      size? and not opts[:ignore_sizes] -> transfer.("size differs")
      opts[:ignore_times] -> skip.("same size")
      newer? -> transfer.(source)
      opts[:ignore_sizes] -> skip.(if newer?(other(action), local, entry), do: dest, else: "same mtime")
      true -> skip.("identical")
    end
  end

  defp other(:upload), do: :download
  defp other(:download), do: :upload

  # The VM returns times of files in seconds: the end of the second counts for a file that may be newer, its beginning for
  # one that may be older, so that no change is missed.
  defp newer?(:upload, {_size, seconds}, entry), do: seconds * 1000 + 999 - remote(entry) > @window
  defp newer?(:download, {_size, seconds}, entry), do: remote(entry) - seconds * 1000 > @window

  defp remote(%{mtime: %DateTime{} = time}), do: DateTime.to_unix(time, :millisecond)
  defp remote(_entry), do: 0

  defp shown(action, path, reason, local, entry, side) do
    size = if side == :local, do: elem(local, 0), else: entry.size

    %SyncOperation{
      action: action,
      path: path,
      reason: reason,
      size: size,
      local_mtime: local && DateTime.from_unix!(elem(local, 1)),
      remote_mtime: entry && entry.mtime
    }
  end

  defp finish(plan, way, entries, opts) do
    cond do
      opts[:dry_run] -> :ok
      opts[:plan] -> save(plan, Source.expand(opts[:plan]))
      true -> carry_out(plan, way, entries, opts)
    end
  end

  defp save(plan, path) do
    with {:error, reason} <- File.write(path, SyncPlan.to_jsonl(plan)),
         do: {:error, Io.new("write", path, reason)}
  end

  defp carry_out(plan, way, entries, opts), do: Execution.run(plan, way, &(entries[&1] || &1), opts)

  @doc "Carries out a plan, or the plan that is saved in a file."
  @spec apply(SyncPlan.t() | Path.t(), keyword()) :: {:ok, SyncPlan.t()} | {:error, Error.t()}
  def apply(plan, opts) do
    with {:ok, plan} <- loaded(plan),
         :ok <- names(plan),
         {:ok, way} <- way(plan.source, plan.dest, opts),
         :ok <- Execution.run(plan, way, & &1, opts),
         do: {:ok, plan}
  end

  defp loaded(%SyncPlan{} = plan), do: {:ok, plan}

  defp loaded(path) when is_binary(path) do
    path = Source.expand(path)

    case File.read(path) do
      {:ok, text} ->
        SyncPlan.from_jsonl(text)

      {:error, reason} ->
        {:error, Io.new("read", path, reason)}
    end
  end

  defp loaded(other),
    do: raise(ArgumentError, "expected a plan or the path of a file, got: #{Options.shown(other)}")

  # A file may say anything.
  defp names(plan) do
    Enum.find_value(plan.operations, :ok, fn operation ->
      if error = wrong_name(operation.path), do: {:error, error}
    end)
  end
end
