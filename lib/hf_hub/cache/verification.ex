defmodule HfHub.Cache.Verification do
  # Checks the files of a cache against their checksums, and downloads corrupt and missing ones again.
  @moduledoc false

  alias HfHub.Cache.{Engine, Integrity, Tables}
  alias HfHub.{Decode, Download, Error, Native, Options, Telemetry}
  alias HfHub.Download.Spec

  @types %{"model" => :model, "dataset" => :dataset, "space" => :space, "kernel" => :kernel}

  @doc "Returns the result of `HfHub.Cache.validate_integrity/1`."
  @spec run(keyword()) :: {:ok, Integrity.t()} | {:error, Error.t()}
  def run(opts) do
    opts = Options.validate!(opts, Tables.integrity())

    with {:ok, spec} <- spec(opts),
         :ok <- fetch_listings(spec, opts),
         {:ok, report} <- Engine.run_shown(:verify, spec, opts, "checking the cache") do
      problems = Enum.map(report.problems, &%{&1 | repo_type: @types[&1.repo_type]})
      problems = if opts[:repair], do: repair(problems, opts), else: problems
      revisions = Enum.map(report.revisions, &%{&1 | repo_type: @types[&1.repo_type]})
      {:ok, Decode.struct(Integrity, %{report | problems: problems, revisions: revisions})}
    end
  end

  defp spec(opts) do
    spec = %{repo: nil, revision: nil, max_workers: opts[:max_workers]}

    if opts[:repo_id] do
      with {:ok, place, ref} <- Engine.repo(opts[:repo_id], opts) do
        revision = if opts[:revision] || ref.revision, do: place.revision
        {:ok, %{spec | repo: place.repo, revision: revision}}
      end
    else
      {:ok, spec}
    end
  end

  # A snapshot download without files stores only the listing of the commit.
  defp fetch_listings(spec, opts) do
    if opts[:listings] do
      with {:ok, report} <- Engine.run(:scan, %{}, opts) do
        wanted =
          for repo <- report.repos, wanted?(repo, spec.repo), revision <- repo.revisions, do: {repo, revision}

        Enum.reduce_while(wanted, :ok, fn found, :ok -> fetch_listing(found, opts) end)
      end
    else
      :ok
    end
  end

  defp wanted?(%{repo_type: "kernel"}, _repo), do: false
  defp wanted?(_found, nil), do: true
  defp wanted?(found, repo), do: {found.repo_type, found.repo_id} == {repo.repo_type, repo.id}

  defp fetch_listing({repo, revision}, opts) do
    call = [
      repo_id: repo.repo_id,
      repo_type: @types[repo.repo_type],
      revision: revision.commit_hash,
      cache_dir: Engine.cache_dir(opts),
      force_download: false,
      local_files_only: false,
      dry_run: false
    ]

    none = %{filter: %{allow: [], ignore: ["*"]}, max_workers: 1}

    with {:ok, spec, _ref} <- Spec.repo(call ++ common(opts)),
         {:ok, _snapshot} <- requested(Map.merge(spec, none)),
         do: {:cont, :ok},
         else: ({:error, error} -> {:halt, {:error, error}})
  end

  defp requested(spec),
    do:
      Telemetry.span(:download, Telemetry.download(spec), spec.hub.token, fn ->
        Native.run(:snapshot, spec)
      end)

  defp common(opts), do: Keyword.take(opts, Keyword.keys(Options.common()))

  # If several files link to one blob, the first download restores it, and the others send no request for it.
  defp repair(problems, opts) do
    {problems, _done} =
      Enum.map_reduce(problems, MapSet.new(), fn problem, done ->
        cond do
          problem.status not in [:corrupted, :missing] -> {problem, done}
          problem.repo_type == :kernel -> {Map.put(problem, :repaired, not_ours(problem)), done}
          true -> {fetch(problem, problem.blob_path not in done, opts), MapSet.put(done, problem.blob_path)}
        end
      end)

    problems
  end

  defp fetch(problem, force?, opts) do
    download = [
      repo_id: problem.repo_id,
      repo_type: problem.repo_type,
      revision: problem.commit,
      filename: problem.filename,
      cache_dir: Engine.cache_dir(opts),
      force_download: force?
    ]

    case Download.hf_hub_download(download ++ common(opts)) do
      {:ok, _path} -> Map.put(problem, :repaired, true)
      {:error, error} -> Map.put(problem, :repaired, error)
    end
  end

  defp not_ours(problem) do
    Error.new(:invalid_name, "kernels cannot be downloaded by this library", repo_id: problem.repo_id)
  end
end
