defmodule HfHub.CLI.Jobs.Stats do
  # What jobs use: `jobs stats`, once or as a view that is drawn again until the jobs have ended.
  @moduledoc false

  alias HfHub.Account
  alias HfHub.CLI.{Call, Json, Output, Size, Table}
  alias HfHub.CLI.Jobs.Spec
  alias HfHub.{Error, Jobs}
  alias HfHub.Jobs.JobMetrics

  # Between two drawings, in milliseconds.
  @pause 100

  @doc "Runs the command."
  @spec run(Call.t()) :: Output.shown()
  def run(%{flags: %{follow: true}, output: %{mode: mode}}) when mode != :human,
    do: {:error, "--follow is a view for people; leave out --json, --quiet and --format"}

  def run(call) do
    with {:ok, ids} <- ids(call) do
      cond do
        ids == [] -> [{:table, [], []}, {:note, "Hint: jobs list --all lists jobs that have ended, too"}]
        call.flags[:follow] -> follow(ids, call)
        true -> snapshot(ids, call)
      end
    end
  end

  defp ids(%{args: %{job_ids: []}} = call) do
    opts = Call.options(call, [:namespace])

    with {:ok, namespace} <- Account.name(call.flags[:namespace], opts),
         {:ok, jobs} <- Jobs.list(Keyword.put(opts, :namespace, namespace)),
         do: {:ok, for(job <- jobs, running?(job), do: "#{namespace}/#{job.id}")}
  end

  defp ids(call), do: {:ok, call.args.job_ids}

  defp running?(%{status: %{stage: stage}}), do: stage in [:running, :updating]
  defp running?(_unknown), do: false

  defp snapshot(ids, call) do
    samples =
      ids
      |> Task.async_stream(&{&1, sample(&1, call)}, timeout: :infinity, max_concurrency: length(ids))
      |> Enum.map(fn {:ok, sample} -> sample end)

    case Enum.find(samples, &match?({_id, {:error, _error}}, &1)) do
      {_id, failed} -> failed
      nil -> Enum.flat_map(samples, &warning/1) ++ [table(samples, call.output.mode)]
    end
  end

  # Errors of a stream are raised; here they would end the task.
  defp sample(id, call) do
    {:ok, id |> Jobs.metrics(Call.options(call, [:namespace])) |> Enum.at(0)}
  rescue
    error in [Error] -> {:error, error}
  end

  defp warning({id, {:ok, nil}}), do: [{:warning, "job #{id} has no statistics; it may not run"}]
  defp warning(_sample), do: []

  defp table(samples, :human) do
    rows =
      for {id, {:ok, metrics}} when metrics != nil <- samples, row <- rows(Spec.bare(id), metrics), do: row

    {:table, rows, []}
  end

  defp table(samples, _for_programs) do
    rows =
      for {id, {:ok, metrics}} when metrics != nil <- samples,
          do: [{"job_id", Spec.bare(id)} | Json.row(metrics)]

    {:table, rows, id: "job_id"}
  end

  @doc "Returns the rows of a job for people: one, or one for each GPU."
  @spec rows(String.t(), JobMetrics.t()) :: [Table.row()]
  def rows(id, metrics) do
    own = [
      {"job id", id},
      {"cpu %", "#{metrics.cpu_usage_pct}%"},
      {"num cpu", Float.round((metrics.cpu_millicores || 0) / 1000, 1)},
      {"mem %", percent(metrics)},
      {"mem usage", used(metrics)},
      {"net i/o", "#{Size.short(metrics.rx_bps || 0)}bps / #{Size.short(metrics.tx_bps || 0)}bps"}
    ]

    case Enum.sort(metrics.gpus || %{}) do
      [] ->
        [own ++ [{"gpu util %", "N/A"}, {"gpu mem %", "N/A"}, {"gpu mem usage", "N/A"}]]

      [{_id, first} | others] ->
        nothing = for {name, _value} <- own, do: {name, ""}
        [own ++ gpu(first) | for({_id, gpu} <- others, do: nothing ++ gpu(gpu))]
    end
  end

  defp gpu(gpu),
    do: [{"gpu util %", "#{gpu.utilization}%"}, {"gpu mem %", percent(gpu)}, {"gpu mem usage", used(gpu)}]

  defp percent(%{memory_used_bytes: used, memory_total_bytes: total})
       when is_integer(used) and is_integer(total) and total > 0,
       do: "#{Float.round(100 * used / total, 2)}%"

  defp percent(_unknown), do: "N/A"

  defp used(%{memory_used_bytes: used, memory_total_bytes: total}),
    do: "#{Size.short(used || 0)}B / #{Size.short(total || 0)}B"

  # One process for each job sends its samples here.
  defp follow(ids, call) do
    me = self()
    for id <- ids, do: spawn_link(fn -> watch(id, call, me) end)
    first = for id <- ids, do: {id, [[{"job id", Spec.bare(id)}]]}
    lines = draw(Map.new(first), 0, call)
    receive_samples(Map.new(first), ids, {lines, System.monotonic_time(:millisecond)}, call)
  end

  defp watch(id, call, receiver) do
    for metrics <- Jobs.metrics(id, [follow: true] ++ Call.options(call, [:namespace])),
        do: send(receiver, {:sample, id, rows(Spec.bare(id), metrics)})

    send(receiver, {:ended, id})
  rescue
    error in [Error] -> send(receiver, {:failed, error})
  end

  defp receive_samples(_shown, [], _drawn, _call), do: {:note, "All jobs have ended; jobs inspect shows how"}

  defp receive_samples(shown, running, {lines, at} = drawn, call) do
    receive do
      {:sample, id, rows} ->
        shown = Map.put(shown, id, rows)
        now = System.monotonic_time(:millisecond)
        drawn = if now - at >= @pause, do: {draw(shown, lines, call), now}, else: drawn
        receive_samples(shown, running, drawn, call)

      {:ended, id} ->
        receive_samples(Map.delete(shown, id), List.delete(running, id), drawn, call)

      {:failed, error} ->
        {:error, error}
    end
  end

  # Over the lines that were drawn last. A value that is not known yet is empty.
  defp draw(shown, lines, call) do
    rows = shown |> Enum.sort() |> Enum.flat_map(&elem(&1, 1))
    if lines > 0, do: IO.write("\e[#{lines}A\e[J")
    Output.show({:table, full(rows), []}, %{call.output | no_truncate: true})
    if rows == [], do: 1, else: length(rows) + 2
  end

  # The columns of a table are those of its first row.
  defp full(rows) do
    widest = Enum.max_by(rows, &length/1, fn -> [] end)

    for row <- rows,
        do: for({name, _value} <- widest, do: List.keyfind(row, name, 0, {name, "--"}))
  end
end
