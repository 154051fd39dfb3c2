defmodule HfHub.Buckets.Execution do
  # Carries out the plan of a synchronization.
  @moduledoc false

  alias HfHub.Buckets.{Batch, Downloads, Operation, SyncPlan, TreeEntry}
  alias HfHub.{Error, RepoRef}
  alias HfHub.Error.Io

  @typedoc "The direction, the bucket and the prefix in it, and the folder on this machine."
  @type way :: %{
          action: :upload | :download,
          bucket: RepoRef.t(),
          prefix: String.t() | nil,
          folder: Path.t()
        }

  @doc "Carries out a plan. `entry` returns the file of the bucket at a path of the plan, or the path if it is unknown."
  @spec run(SyncPlan.t(), way(), (String.t() -> TreeEntry.t() | String.t()), keyword()) ::
          :ok | {:error, Error.t()}
  def run(plan, %{action: :upload} = way, _entry, opts) do
    adds = for path <- paths(plan, :upload), do: Operation.add(inside(way, path), {:path, here(way, path)})
    deletes = for path <- paths(plan, :delete), do: Operation.delete(inside(way, path))
    Batch.apply(way.bucket, adds ++ deletes, opts)
  end

  def run(plan, way, entry, opts) do
    files = for path <- paths(plan, :download), do: {remote(way, path, entry.(path)), here(way, path)}

    with {:ok, files} <- Downloads.entries(way.bucket, files, opts),
         {:ok, _paths} <- Downloads.run(way.bucket, files, opts) do
      results = for path <- paths(plan, :delete), do: remove(way.folder, path)
      Enum.find(results, :ok, &(&1 != :ok))
    end
  end

  defp paths(plan, action), do: for(%{action: ^action, path: path} <- plan.operations, do: path)

  defp remote(way, path, path), do: inside(way, path)
  defp remote(_way, _path, entry), do: entry

  defp inside(%{prefix: nil}, path), do: path
  defp inside(%{prefix: prefix}, path), do: prefix <> "/" <> path

  defp here(way, path), do: Path.join(way.folder, path)

  # With the folders that are empty then.
  defp remove(folder, path) do
    file = Path.join(folder, path)

    case File.rm(file) do
      :ok ->
        remove_empty(folder, Path.dirname(path))

      {:error, :enoent} ->
        :ok

      {:error, reason} ->
        {:error, Io.new("delete", file, reason)}
    end
  end

  defp remove_empty(_folder, "."), do: :ok

  defp remove_empty(folder, path) do
    case File.rmdir(Path.join(folder, path)) do
      :ok -> remove_empty(folder, Path.dirname(path))
      {:error, _not_empty} -> :ok
    end
  end
end
