defmodule HfHub.Cache.Removal do
  # Removes what a caller names: revisions, or whole repositories.
  @moduledoc false

  alias HfHub.Cache.{Deletion, Engine, Targets}
  alias HfHub.Error

  @doc "Returns the result of `HfHub.Cache.delete_revisions/2`."
  @spec revisions([String.t()], keyword()) :: {:ok, Deletion.t()} | {:error, Error.t()}
  def revisions(commits, opts) do
    with {:ok, scanned} <- Engine.run(:scan, %{}, opts),
         {targets, unknown} = Targets.find(scanned, commits, opts),
         spec = %{targets: targets, ignore_pins: opts[:force], dry_run: opts[:dry_run]},
         {:ok, report} <- Engine.run(:delete, spec, opts) do
      {:ok, Engine.deletion(report, unknown)}
    end
  end

  @doc "Returns the result of `HfHub.Cache.clear_cache/1`."
  @spec repos(keyword()) :: :ok | {:error, Error.t()}
  def repos(opts) do
    with {:ok, targets} <- Engine.folder(opts),
         spec = %{targets: targets, ignore_pins: opts[:force], dry_run: false},
         {:ok, report} <- Engine.run_if_there(:delete, spec, opts, %{removed: [], kept: [], failures: []}) do
      if opts[:on_removed], do: opts[:on_removed].(Engine.deletion(report))
      complete(report)
    end
  end

  # Returns `:ok`, or an error with the reason why a revision was kept.
  defp complete(%{kept: [], failures: []}), do: :ok

  defp complete(%{kept: [], failures: [failure | rest]}) do
    {:error, Error.new(:io, failure.message <> more(rest))}
  end

  defp complete(%{kept: [kept | rest]}) do
    commit = if kept.commit, do: " at #{String.slice(kept.commit, 0, 8)}", else: ""
    name = Path.basename(kept.repo_path)

    case kept.reason do
      :pinned -> {:error, Error.new(:conflict, "not removed: #{name}#{commit} is pinned#{more(rest)}")}
      :in_use -> {:error, Error.new(:lock_timeout, "not removed: #{name}#{commit} is in use#{more(rest)}")}
    end
  end

  defp more([]), do: ""
  defp more(rest), do: ", and #{length(rest)} more"
end
