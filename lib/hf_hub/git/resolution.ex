defmodule HfHub.Git.Resolution do
  # Resolves revisions to commits, with the cache as a fallback.
  @moduledoc false

  require Logger

  alias HfHub.Config.Source
  alias HfHub.{Config, Error, Native, RepoRef}
  alias HfHub.Native.Hub

  @doc "Returns the commit of a revision."
  @spec run(HfHub.repo(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def run(repo_id, opts) do
    with {:ok, ref} <- RepoRef.resolve(repo_id, opts),
         {:ok, hub} <- Hub.config(RepoRef.network(ref, opts)),
         {:ok, resolved} <- Native.run(:resolve, spec(ref, hub, opts)) do
      warn(resolved.stale, ref)
      {:ok, resolved.commit}
    end
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
