defmodule HfHub.Git.Resolution do
  # Resolves revisions to commits, with the cache as a fallback.
  @moduledoc false

  require Logger

  alias HfHub.Config.Source
  alias HfHub.{Config, Error, Native, Options, RepoRef, Request, Telemetry}
  alias HfHub.Native.Hub

  @doc "Returns the options of `HfHub.Git.resolve_revision/2`."
  @spec table() :: Options.table()
  def table do
    Options.repo_type() ++
      Options.revision() ++
      [
        cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`."],
        local_files_only: [
          type: :boolean,
          default: false,
          doc: "Whether to use the cache only; a revision that is not in it is an error."
        ]
      ] ++ Options.common()
  end

  @doc "Returns the commit of a revision."
  @spec run(HfHub.repo(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def run(repo_id, opts) do
    with {:ok, ref} <- RepoRef.resolve(repo_id, opts),
         {:ok, hub} <- Hub.config(RepoRef.network(ref, opts)),
         {:ok, resolved} <- resolve(ref, spec(ref, hub, opts)) do
      warn(resolved.stale, ref)
      {:ok, resolved.commit}
    end
  end

  # For a commit, no request is sent.
  defp resolve(ref, spec) do
    if spec.local_files_only or commit?(ref.revision),
      do: Native.run(:resolve, spec),
      else: Telemetry.span(:request, observed(ref, spec), spec.hub.token, fn -> answer(spec) end)
  end

  @doc "Returns whether a revision is a whole commit id."
  @spec commit?(term()) :: boolean()
  def commit?(revision), do: is_binary(revision) and revision =~ ~r/\A([0-9a-f]{40}|[0-9a-f]{64})\z/

  defp observed(ref, spec) do
    request = Request.new(:get, "/api/:types/*repo/revision/:revision", RepoRef.params(ref), [])
    %{method: :get, path: request.path, endpoint: spec.hub.endpoint}
  end

  # A commit of the cache stands for one of a Hub that has not responded.
  defp answer(spec) do
    with {:ok, resolved} <- Native.run(:resolve, spec),
         do: {:ok, Map.put(resolved, :status, if(resolved.stale == nil, do: 200))}
  end

  defp spec(ref, hub, opts) do
    %{
      hub: hub,
      progress: false,
      place: RepoRef.to_native(ref),
      cache_dir: if(opts[:cache_dir], do: Source.expand(opts[:cache_dir]), else: Config.cache_dir()),
      local_files_only: opts[:local_files_only]
    }
  end

  defp warn(nil, _ref), do: :ok

  defp warn(why, ref) do
    name = "#{ref.revision || "main"} of #{ref.repo_id}"
    Logger.warning("using the cached commit of #{name}, because the request to the Hub failed: #{why}")
  end
end
