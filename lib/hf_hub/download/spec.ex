defmodule HfHub.Download.Spec do
  # Converts the validated options of a call to the inputs of the engine.
  @moduledoc false

  alias HfHub.Cache.Below
  alias HfHub.Config.{Setting, Source}
  alias HfHub.{Config, Error, RepoRef}
  alias HfHub.Native.{Hub, Nif}

  @doc "Returns the reference in the options and the path of the file, whose names the caller has to check."
  @spec names(keyword()) :: {:ok, RepoRef.t(), String.t()} | {:error, Error.t()}
  def names(opts) do
    with {:ok, ref} <- RepoRef.parse(opts[:repo_id], opts),
         {:ok, filename} <- filename(opts, ref),
         do: {:ok, ref, filename}
  end

  @doc "Returns the inputs for one file."
  @spec file(keyword()) :: {:ok, map()} | {:error, Error.t()}
  def file(opts) do
    with {:ok, spec, ref} <- repo(opts),
         {:ok, filename} <- filename(opts, ref) do
      {:ok, Map.merge(spec, %{filename: filename, expected_sha256: opts[:expected_sha256]})}
    end
  end

  @doc "Returns the inputs that all downloads to disk have in common, and the reference in `:repo_id`."
  @spec repo(keyword()) :: {:ok, map(), RepoRef.t()} | {:error, Error.t()}
  def repo(opts) do
    with {:ok, ref} <- RepoRef.resolve(opts[:repo_id], opts),
         {:ok, hub} <- Hub.config(opts) do
      if opts[:force_download] and (opts[:local_files_only] or hub.offline) do
        raise ArgumentError,
              ":force_download cannot be combined with :local_files_only or offline mode"
      end

      {:ok,
       %{
         hub: hub,
         progress: opts[:progress] not in [nil, false] or opts[:progress_callback] != nil,
         repo: RepoRef.to_native(ref).repo,
         revision: RepoRef.to_native(ref).revision,
         destination: destination(opts),
         mode: %{
           force_download: opts[:force_download],
           local_files_only: opts[:local_files_only],
           dry_run: opts[:dry_run],
           symlinks: Setting.value(:symlinks),
           shared_blobs: Setting.value(:shared_blobs) and Setting.value(:xet, opts) != false
         }
       }, ref}
    end
  end

  @doc "Returns the inputs for a stream. Names are validated here, because the stream starts later."
  @spec stream(keyword()) :: {:ok, map()} | {:error, Error.t()}
  def stream(opts) do
    with {:ok, ref} <- reference(opts),
         {:ok, hub} <- Hub.config(RepoRef.network(ref, opts)) do
      {:ok, Map.merge(RepoRef.to_native(ref), %{hub: hub, filename: ref.path, part: part(opts[:range])})}
    end
  end

  @doc "Returns the reference of a file."
  @spec reference(keyword()) :: {:ok, RepoRef.t()} | {:error, Error.t()}
  def reference(opts) do
    with {:ok, ref} <- RepoRef.resolve(opts[:repo_id], opts),
         {:ok, filename} <- filename(opts, ref),
         :ok <- check_names(ref, filename),
         do: {:ok, %{ref | path: filename}}
  end

  defp destination(opts) do
    cache_dir = expand(opts[:cache_dir]) || Below.warn(Config.cache_dir())
    if opts[:local_dir], do: {:folder, {expand(opts[:local_dir]), cache_dir}}, else: {:cache, cache_dir}
  end

  defp filename(opts, ref) do
    with :ok <- RepoRef.beside(ref, opts[:filename]), :ok <- RepoRef.beside(ref, opts[:subfolder]) do
      joined(Enum.reject([ref.path, opts[:subfolder], opts[:filename]], &(&1 in [nil, ""])))
    end
  end

  defp joined([]), do: raise(ArgumentError, "option :filename is required")
  defp joined(parts), do: {:ok, Enum.join(parts, "/")}

  defp check_names(ref, filename) do
    case Nif.check_names(Map.merge(RepoRef.to_native(ref), %{path: filename, filename: nil})) do
      nil -> :ok
      fields -> {:error, Error.from_native(fields)}
    end
  end

  defp part(nil), do: :whole
  defp part(first..-1//1) when first >= 0, do: {:range, %{first: first, end: nil}}
  defp part(first..-1//1) when first < 0, do: {:last, -first}
  defp part(first..last//1) when first >= 0 and first <= last, do: {:range, %{first: first, end: last + 1}}

  defp part(range) do
    raise ArgumentError,
          "expected option :range to be like 0..99, 100..-1//1 or -100..-1//1, got: #{HfHub.Options.shown(range)}"
  end

  defp expand(nil), do: nil
  defp expand(path), do: Source.expand(path)
end
