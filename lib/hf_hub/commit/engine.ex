defmodule HfHub.Commit.Engine do
  # Runs the engine's uploads for the functions of `HfHub.Commit`, and converts their results.
  @moduledoc false

  require Logger

  alias HfHub.Commit.{CommitInfo, Operation, Unwanted}
  alias HfHub.Spool
  alias HfHub.Config.Source
  alias HfHub.{Decode, Error, Fnmatch, Native, RepoRef, Telemetry}
  alias HfHub.Native.Hub
  alias HfHub.Progress.Reporter
  alias HfHub.RepoRef.Folder

  @doc "Makes one commit of the operations."
  @spec create(HfHub.repo(), [Operation.t()], keyword()) :: {:ok, CommitInfo.t()} | {:error, Error.t()}
  def create(repo_id, operations, opts) do
    {ignored, operations} = Enum.split_with(operations, &match?(%{upload_mode: :ignored}, &1))
    Enum.each(ignored, &warn_ignored/1)

    with {:ok, report} <- run_operations(:create, repo_id, operations, opts), do: {:ok, info(report)}
  end

  @doc "Makes one commit that deletes the files that match one of the patterns."
  @spec delete_files(HfHub.repo(), [String.t()], keyword()) :: {:ok, CommitInfo.t()} | {:error, Error.t()}
  def delete_files(repo_id, patterns, opts) do
    with {:ok, common, ref} <- common(repo_id, opts),
         operations = [{:delete_matching, Enum.map(patterns, &pattern(ref, &1))}],
         {:ok, report} <- run(:create, Map.put(common, :operations, operations), opts),
         do: {:ok, info(report)}
  end

  @doc "Uploads the large files among the additions, and returns the additions to commit."
  @spec preupload(HfHub.repo(), [Operation.Add.t()], keyword()) ::
          {:ok, [Operation.Add.t()]} | {:error, Error.t()}
  def preupload(repo_id, additions, opts) do
    {open, settled} = additions |> Enum.with_index() |> Enum.split_with(&match?({%{upload_mode: nil}, _}, &1))
    additions = Enum.map(open, &elem(&1, 0))

    with {:ok, placed} <- run_operations(:preupload, repo_id, additions, opts) do
      by_place = Map.new(placed, &{&1.place, &1})
      open = for {{add, index}, place} <- Enum.with_index(open), do: {placed(add, by_place[place]), index}
      {:ok, (open ++ settled) |> Enum.sort_by(&elem(&1, 1)) |> Enum.map(&elem(&1, 0))}
    end
  end

  @doc "Uploads a folder, and returns the report of the engine."
  @spec folder(Path.t(), HfHub.repo(), keyword(), map()) :: {:ok, map()} | {:error, Error.t()}
  def folder(folder, repo_id, opts, more) do
    with {:ok, common, ref} <- common(repo_id, opts) do
      spec =
        Map.merge(Map.merge(common, more), %{
          dir: Source.expand(folder),
          path_in_repo: Folder.below(ref, opts[:path_in_repo]) || "",
          filter: %{allow: opts[:allow_patterns], ignore: opts[:ignore_patterns]},
          unwanted: if(opts[:ignore_defaults], do: Unwanted.patterns(), else: []),
          delete_patterns: opts[:delete_patterns],
          resumable: opts[:resumable]
        })

      with {:ok, report} <- run(:folder, spec, opts) do
        Unwanted.log(report)
        {:ok, report}
      end
    end
  end

  @doc "Returns the last commit of a report."
  @spec info(map()) :: CommitInfo.t()
  def info(report), do: Decode.struct(CommitInfo, report.last)

  @doc "Returns patterns as a list."
  @spec patterns(String.t() | [String.t()]) :: [String.t()]
  def patterns(pattern) when is_binary(pattern), do: [pattern]

  def patterns(patterns) do
    if is_list(patterns) and Enum.all?(patterns, &is_binary/1),
      do: patterns,
      else:
        raise(
          ArgumentError,
          "expected patterns as a string or a list of strings, got: #{HfHub.Options.shown(patterns)}"
        )
  end

  defp run_operations(call, repo_id, operations, opts) do
    with {:ok, common, ref} <- common(repo_id, opts) do
      where = [repo_type: ref.repo_type, endpoint: opts[:endpoint]]
      operations = Enum.map(operations, &below(ref, &1))

      Spool.with_sources(operations, &content/1, &change(&1, &2, where), fn changes ->
        run(call, Map.put(common, :operations, changes), opts)
      end)
    end
  end

  defp content(%Operation.Add{content: content}) when content != :uploaded, do: content
  defp content(_other), do: nil

  # Paths are relative to the folder in the reference.
  defp below(ref, %Operation.Copy{src_repo_id: nil} = copy),
    do: %{copy | src_path: Folder.join(ref, copy.src_path), dst_path: Folder.join(ref, copy.dst_path)}

  defp below(ref, %Operation.Copy{} = copy), do: %{copy | dst_path: Folder.join(ref, copy.dst_path)}
  defp below(ref, change), do: %{change | path_in_repo: Folder.join(ref, change.path_in_repo)}

  defp pattern(%{path: nil}, pattern), do: pattern
  defp pattern(ref, pattern), do: Fnmatch.literal(ref.path) <> "/" <> pattern

  defp run(call, spec, opts) do
    %{hub: hub, target: %{repo: repo, revision: revision}} = spec

    metadata = %{
      operation: call,
      repo_id: repo.id,
      repo_type: repo.repo_type,
      revision: revision,
      endpoint: hub.endpoint
    }

    Telemetry.span(:upload, metadata, hub.token, fn ->
      result = Native.run(call, spec, Reporter.start(opts[:progress], repo.id))

      with {:ok, %{warnings: warnings} = report} <- result do
        Enum.each(warnings, &Logger.warning/1)
        if report.fallback, do: Logger.debug("Xet has failed, and HTTP took over: #{report.fallback}")
      end

      result
    end)
  end

  defp common(repo_id, opts) do
    with {:ok, ref} <- RepoRef.resolve(repo_id, opts),
         :ok <- RepoRef.beside(ref, :path_in_repo),
         {:ok, hub} <- Hub.config(RepoRef.network(ref, opts)) do
      {:ok,
       %{
         hub: hub,
         progress: opts[:progress] not in [nil, false],
         target: Map.merge(RepoRef.to_native(ref), switches!(ref, opts)),
         message: %{
           summary: opts[:commit_message],
           description: opts[:commit_description],
           parent: parent!(opts[:parent_commit])
         },
         tuning: %{
           workers: opts[:num_workers],
           connections: max(hub.max_connections, opts[:num_workers]),
           silence: opts[:upload_timeout]
         },
         verified: opts[:verify]
       }, ref}
    end
  end

  defp switches!(ref, opts) do
    if opts[:hot_reload] && ref.repo_type != :space do
      raise ArgumentError, "hot_reload: true is for Spaces only, and this repository is a #{ref.repo_type}"
    end

    %{create_pr: opts[:create_pr], hot_reload: opts[:hot_reload] == true}
  end

  defp parent!(nil), do: nil

  defp parent!(commit) do
    if commit =~ ~r/\A[0-9a-f]{5,64}\z/,
      do: commit,
      else:
        raise(
          ArgumentError,
          "expected :parent_commit to be 5 to 64 hex digits, got: #{HfHub.Options.shown(commit)}"
        )
  end

  defp warn_ignored(add) do
    path = inspect(add.path_in_repo)
    Logger.warning("#{path} is not committed: it matches the repository's .gitignore")
  end

  defp change(%Operation.Add{} = add, source, _where) do
    source = source || %{content: :remote, oid: add.oid}

    {:ok,
     {:add, %{path: add.path_in_repo, content: source.content, oid: source.oid || add.oid, size: add.size}}}
  end

  defp change(%Operation.Delete{is_folder: true} = delete, nil, _where),
    do: {:ok, {:delete_folder, delete.path_in_repo}}

  defp change(%Operation.Delete{} = delete, nil, _where), do: {:ok, {:delete_file, delete.path_in_repo}}

  defp change(%Operation.Copy{} = copy, nil, where) do
    with {:ok, ref} <- source(copy, where) do
      revision = copy.src_revision || (ref && ref.revision)
      repo = ref && RepoRef.to_native(ref).repo
      {:ok, {:copy, %{from: copy.src_path, path: copy.dst_path, revision: revision, repo: repo}}}
    end
  end

  defp source(%Operation.Copy{src_repo_id: nil}, _where), do: {:ok, nil}

  defp source(%Operation.Copy{src_repo_id: id, src_repo_type: type}, where) do
    case RepoRef.resolve(id, if(type, do: [repo_type: type] ++ where, else: where)) do
      {:ok, %{path: path} = ref} when path != nil ->
        message =
          "#{inspect(id)} is the URL of a file; pass the repository, and #{inspect(path)} as the path to copy from"

        {:error, Error.new(:invalid_name, message, repo_id: ref.repo_id)}

      result ->
        result
    end
  end

  defp placed(add, %{mode: "lfs"} = placed),
    do: %{add | content: :uploaded, upload_mode: :lfs, oid: placed.oid, size: placed.size}

  defp placed(add, %{mode: "regular"} = placed), do: %{add | upload_mode: :regular, size: placed.size}

  defp placed(add, %{mode: "unchanged"} = placed),
    do: %{add | upload_mode: :unchanged, oid: placed.oid, size: placed.size}

  defp placed(add, %{mode: "ignored"}), do: %{add | upload_mode: :ignored}
end
