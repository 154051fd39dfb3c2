defmodule HfHub.Buckets.SyncPlan do
  @moduledoc """
  The plan of a synchronization: one operation for each file. Python: `SyncPlan`.

  `to_string/1` returns a summary and a line for each operation; `to_jsonl/1` and `from_jsonl/1` write and read the form in
  which the Python client saves plans. `HfHub.Buckets.apply_plan/2` carries a plan out.
  """

  alias HfHub.Buckets.SyncOperation
  alias HfHub.{Decode, Error, Native}
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

      iex> plan = %HfHub.Buckets.SyncPlan{
      ...>   source: "data",
      ...>   dest: "hf://buckets/me/data",
      ...>   timestamp: DateTime.utc_now()
      ...> }
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

      iex> plan = %HfHub.Buckets.SyncPlan{
      ...>   source: "data",
      ...>   dest: "hf://buckets/me/data",
      ...>   timestamp: DateTime.utc_now()
      ...> }
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

  @doc """
  Returns the plan that `to_jsonl/1` or the Python client has written. Another text is an error of kind
  `:invalid_response`.

  ## Examples

      iex> plan = %HfHub.Buckets.SyncPlan{
      ...>   source: "data",
      ...>   dest: "hf://buckets/me/data",
      ...>   timestamp: ~U[2026-02-06 17:37:57Z]
      ...> }
      iex> HfHub.Buckets.SyncPlan.from_jsonl(HfHub.Buckets.SyncPlan.to_jsonl(plan))
      {:ok, plan}
  """
  @spec from_jsonl(String.t()) :: {:ok, t()} | {:error, Error.t()}
  def from_jsonl(text) do
    if String.valid?(text),
      do: with({:ok, lines} <- lines(text), do: plan(lines)),
      else: {:error, invalid("expected UTF-8")}
  end

  @doc "Same as `from_jsonl/1`, but returns the plan or raises `HfHub.Error`."
  @spec from_jsonl!(String.t()) :: t()
  def from_jsonl!(text), do: Error.unwrap!(from_jsonl(text))

  defp lines(text) do
    text
    |> String.split("\n", trim: true)
    |> Enum.reduce_while({:ok, []}, fn line, {:ok, lines} ->
      case Native.run(:parse_json, line) do
        {:ok, json} -> {:cont, {:ok, [json | lines]}}
        {:error, error} -> {:halt, {:error, invalid(error.message)}}
      end
    end)
    |> case do
      {:ok, lines} -> {:ok, Enum.reverse(lines)}
      error -> error
    end
  end

  defp plan([%{"type" => "header", "source" => source, "dest" => dest} = header | lines])
       when is_binary(source) and is_binary(dest) do
    operations = for %{"type" => "operation"} = line <- lines, do: Decode.response!(SyncOperation, line)

    case Enum.find(operations, &(not is_atom(&1.action) or &1.action == nil)) do
      nil -> {:ok, %__MODULE__{source: source, dest: dest, timestamp: time(header), operations: operations}}
      other -> {:error, invalid("unknown action #{inspect(other.action)}")}
    end
  rescue
    error in Error -> {:error, invalid(error.message)}
  end

  defp plan(_other), do: {:error, invalid("its first line has no source and destination")}

  defp time(header), do: Decode.value(header["timestamp"], :datetime)

  defp invalid(why), do: Error.new(:invalid_response, "invalid plan of a synchronization: #{why}")

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
      summary = HfHub.Buckets.SyncPlan.summary(plan)
      count = &HfHub.Brief.count(summary[&1], "#{&1}")
      facts = Enum.map_join([:uploads, :downloads, :deletes, :skips], ", ", count)

      lines =
        for operation <- plan.operations,
            do: "  #{operation.action} #{operation.path} (#{operation.reason})\n"

      bytes = HfHub.Brief.count(summary.total_size, "bytes")
      "sync #{plan.source} -> #{plan.dest}: #{facts}, #{bytes}\n#{lines}"
    end
  end
end
