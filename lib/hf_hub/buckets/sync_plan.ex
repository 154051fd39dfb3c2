defmodule HfHub.Buckets.SyncPlan do
  @moduledoc """
  The plan of a synchronization: one operation for each file. Python: `SyncPlan`.

  `to_string/1` returns a summary and a line for each operation; `to_jsonl/1` the form in which the Python client saves
  plans.
  """

  alias HfHub.Buckets.SyncOperation
  alias HfHub.Native.Nif

  @enforce_keys [:source, :dest, :timestamp]

  use HfHub.Schema,
    source: {:string, "address of the bucket, or path of the folder, that files come from"},
    dest: {:string, "address of the bucket, or path of the folder, that files go to"},
    timestamp: {:datetime, "time at which the plan was made"},
    operations: {[SyncOperation], "operations, in the order of their paths", default: []}

  @doc """
  Returns the numbers of operations by their action, and the number of bytes to transfer.

  ## Examples

      iex> plan = %HfHub.Buckets.SyncPlan{source: "data", dest: "hf://buckets/me/data", timestamp: DateTime.utc_now()}
      iex> HfHub.Buckets.SyncPlan.summary(plan)
      %{uploads: 0, downloads: 0, deletes: 0, skips: 0, total_size: 0}
  """
  @spec summary(t()) :: %{
          uploads: non_neg_integer(),
          downloads: non_neg_integer(),
          deletes: non_neg_integer(),
          skips: non_neg_integer(),
          total_size: non_neg_integer()
        }
  def summary(plan) do
    count = fn action -> Enum.count(plan.operations, &(&1.action == action)) end

    sizes =
      for %{action: action, size: size} <- plan.operations, action in [:upload, :download], do: size || 0

    %{
      uploads: count.(:upload),
      downloads: count.(:download),
      deletes: count.(:delete),
      skips: count.(:skip),
      total_size: Enum.sum(sizes)
    }
  end

  @doc """
  Returns the plan as lines of JSON: a header, and a line for each operation.

  ## Examples

      iex> plan = %HfHub.Buckets.SyncPlan{source: "data", dest: "hf://buckets/me/data", timestamp: DateTime.utc_now()}
      iex> HfHub.Buckets.SyncPlan.to_jsonl(plan) =~ ~s("type":"header")
      true
  """
  @spec to_jsonl(t()) :: String.t()
  def to_jsonl(plan) do
    header = %{
      type: "header",
      source: plan.source,
      dest: plan.dest,
      timestamp: iso(plan.timestamp),
      summary: summary(plan)
    }

    Enum.map_join([header | Enum.map(plan.operations, &line/1)], &(Nif.to_json(&1) <> "\n"))
  end

  defp line(operation) do
    Map.new(
      HfHub.Options.given(
        type: "operation",
        action: operation.action,
        path: operation.path,
        reason: operation.reason || "",
        size: operation.size,
        local_mtime: iso(operation.local_mtime),
        remote_mtime: iso(operation.remote_mtime)
      )
    )
  end

  defp iso(nil), do: nil
  defp iso(time), do: DateTime.to_iso8601(time)

  defimpl String.Chars do
    def to_string(plan) do
      count = HfHub.Buckets.SyncPlan.summary(plan)

      lines =
        for operation <- plan.operations,
            do: "  #{operation.action} #{operation.path} (#{operation.reason})\n"

      "sync #{plan.source} -> #{plan.dest}: #{count.uploads} uploads, #{count.downloads} downloads, " <>
        "#{count.deletes} deletes, #{count.skips} skips, #{count.total_size} bytes\n#{lines}"
    end
  end
end
