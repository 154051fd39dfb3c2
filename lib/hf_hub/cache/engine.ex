defmodule HfHub.Cache.Engine do
  # Runs the engine's operations for the functions of `HfHub.Cache`, and converts their results.
  # All decisions about a cache are the engine's.
  @moduledoc false

  alias HfHub.Cache.{Deletion, Report}
  alias HfHub.Config.{Setting, Source}
  alias HfHub.{Config, Decode, Error, FS, Native, RepoRef}
  alias HfHub.Error.Hint
  alias HfHub.Native.{Hub, Nif}
  alias HfHub.Progress.Reporter
  alias HfHub.RepoRef.Folder

  def cache_dir(opts), do: Source.expand(opts[:cache_dir] || Config.cache_dir())

  @doc "Runs an operation on the cache of the options."
  def run(operation, spec, opts), do: Native.run(operation, %{cache_dir: cache_dir(opts), spec: spec})

  @doc "Same as `run/3`, with the option `:progress`."
  def run_shown(operation, spec, opts, label) do
    shown? = opts[:progress] not in [nil, false]
    spec = %{cache_dir: cache_dir(opts), spec: spec, progress: shown?}
    Native.run(operation, spec, Reporter.start(opts[:progress], label))
  end

  @doc "Same as `run_shown/4`, for an operation that sends requests."
  def run_online(operation, spec, opts, label) do
    with {:ok, hub} <- Hub.config(opts) do
      shown? = opts[:progress] not in [nil, false]
      spec = Map.merge(spec, %{cache_dir: cache_dir(opts), hub: hub, progress: shown?})
      Native.run(operation, spec, Reporter.start(opts[:progress], label))
    end
  end

  @doc "Returns the report of `HfHub.Cache.scan/1`."
  def scan(opts) do
    # A cache may have many files: native code makes the structs of the report.
    spec = %{cache_dir: cache_dir(opts), spec: %{}, structs: Decode.tables(Report)}

    with {:ok, report} <- Native.run(:scan, spec) do
      warnings =
        for warning <- report.warnings do
          {hints, warning} = Map.pop(warning, :hints)
          %{warning | message: Hint.append(warning.message, hints)}
        end

      {:ok, Decode.struct(Report, %{report | warnings: warnings})}
    end
  end

  @doc "Same as `run/3`, but a cache that does not exist counts as empty."
  def run_if_there(operation, spec, opts, none) do
    case run(operation, spec, opts) do
      {:error, %Error{kind: :not_cached, repo_id: nil}} -> {:ok, none}
      result -> result
    end
  end

  @doc "Returns the repository and revision of a call as the engine expects them, and the reference."
  def repo(repo_id, opts) do
    with {:ok, ref} <- RepoRef.resolve(repo_id, opts), do: {:ok, RepoRef.to_native(ref), ref}
  end

  @doc "Returns the repository of the options as the engine's targets; `nil` for all."
  def folder(opts) do
    if opts[:repo_id] do
      with {:ok, _repo, ref} <- repo(opts[:repo_id], opts) do
        {:ok, [{FS.repo_folder(ref.repo_id, ref.repo_type), nil}]}
      end
    else
      {:ok, nil}
    end
  end

  @doc "Looks a file up for `HfHub.Cache.cache_path/1`."
  def look_up(opts) do
    with {:ok, place, ref} <- repo(opts[:repo_id], opts),
         :ok <- RepoRef.beside(ref, opts[:filename]) do
      filename = Folder.join(ref, opts[:filename])

      case find(Map.merge(place, %{filename: filename, to_use: false}), opts) do
        {:ok, found} -> answer(found, place, filename)
        {:error, fields} -> {:error, Error.from_native(fields)}
      end
    end
  end

  @doc "Returns the path of a file of a commit if it is in the cache and was verified; records that it is used."
  def find_verified(ref, filename, opts) do
    case find(Map.merge(RepoRef.to_native(ref), %{filename: filename, to_use: true}), opts) do
      {:ok, path} when is_binary(path) -> path
      _none -> nil
    end
  end

  # A look at the disk takes less than a job would.
  defp find(question, opts), do: Nif.look_up(%{cache_dir: cache_dir(opts), spec: question})

  @doc "Returns the spec of an eviction. The engine expects times in milliseconds."
  def eviction(opts) do
    max_age = opts[:max_age] && opts[:max_age] * 1000
    target_size = opts[:target_size] || if(max_age == nil, do: Setting.value(:max_cache_size))
    %{target_size: target_size, max_age: max_age, dry_run: opts[:dry_run]}
  end

  @doc "Acquires a lock for the calling process, and returns its handle and path."
  def hold(spec, opts), do: Native.hold(:hold, %{cache_dir: cache_dir(opts), spec: spec})

  @doc "Returns the deletion of a report, and the commits of the call that no repository has."
  def deletion(report, unknown \\ []) do
    removed = Enum.group_by(report.removed, & &1.kind, & &1.path)
    Decode.struct(Deletion, Map.merge(report, %{removed: removed, unknown: unknown}))
  end

  @doc "Returns the result of `HfHub.Cache.cache_stats/1`."
  def stats(report) do
    repos =
      for repo <- Enum.sort_by(report.repos, & &1.size_on_disk, :desc) do
        %{
          repo_id: repo.repo_id,
          repo_type: repo.repo_type,
          size: repo.size_on_disk,
          file_count: repo.nb_files,
          last_accessed: repo.last_accessed
        }
      end

    %{
      total_size: report.size_on_disk,
      file_count: repos |> Enum.map(& &1.file_count) |> Enum.sum(),
      repos: repos
    }
  end

  defp answer(path, _place, _filename) when is_binary(path), do: {:ok, path}

  defp answer(known, %{repo: repo, revision: revision}, filename) do
    {kind, message} =
      case known do
        :known_absent ->
          {:entry_not_found, "#{inspect(repo.id)} is known to have no file #{inspect(filename)}"}

        :unknown ->
          {:not_cached, "#{inspect(filename)} of #{inspect(repo.id)} is not in the cache"}
      end

    {:error, Error.new(kind, message, repo_id: repo.id, path: filename, revision: revision)}
  end
end
