defmodule HfHub.Progress.Reporter do
  # Delivers a job's progress to its receiver: a line in the terminal, a bar in a cell of Livebook, a function or a
  # process.
  @moduledoc false

  require Logger

  alias HfHub.Config.Setting
  alias HfHub.Kino.Cell
  alias HfHub.Progress
  alias HfHub.Progress.Line

  @type t :: nil | map()

  @counters [:bytes_done, :bytes_resumed, :bytes_received, :bytes_hashed, :bytes_deduplicated, :files_done]

  # A process with more messages than that in its mailbox gets no further reports.
  @mailbox_limit 50

  # Milliseconds of samples without which no time left is estimated.
  @first_eta 500

  # A cell of Livebook reports no width; longer lines are cut or wrapped on small screens.
  @cell_columns 60

  @doc "Returns a reporter for the value of the option `:progress`, or `nil`; the label is that of a line."
  @spec start(boolean() | (Progress.t() -> term()) | pid() | nil, String.t()) :: t()
  def start(receiver, label) do
    case receiver do
      true -> if shown?(), do: reporter(bar(label))
      none when none in [nil, false] -> nil
      receiver -> reporter(receiver)
    end
  end

  @doc "Lets a reporter go on with the next one of several jobs, with their totals together, if there is more than one."
  @spec part(t(), %{optional(:files_total | :bytes_total) => non_neg_integer() | nil}) :: t()
  def part(nil, _totals), do: nil

  def part(reporter, totals),
    do: %{reporter | before: Map.merge(Map.take(reporter.last, @counters), totals)}

  @doc "Delivers a report of the engine."
  @spec report(t(), map()) :: t()
  def report(nil, _fields), do: nil

  def report(reporter, fields) do
    fields = Map.merge(fields, reporter.before, &added/3)
    {speed, samples} = speed(reporter.samples, fields.bytes_received)
    progress = struct!(Progress, fields)
    progress = %{progress | speed: speed, eta: if(known?(samples), do: eta(progress, speed))}
    deliver(%{reporter | samples: samples, last: progress})
  end

  @doc "Delivers the last report."
  @spec stop(t(), :done | :failed) :: :ok
  def stop(nil, _activity), do: :ok

  def stop(reporter, activity) do
    reporter = deliver(%{reporter | last: %{reporter.last | activity: activity, wait: nil, eta: nil}})
    if reporter.guard, do: send(reporter.guard, :finished)
    if match?({:bar, _label}, reporter.receiver), do: IO.write("\n")
    :ok
  end

  defp bar(label) do
    if livebook?() and Cell.loaded?() do
      frame = Cell.frame()
      Cell.show(frame)
      {:frame, frame, label}
    else
      {:bar, label}
    end
  end

  defp reporter(receiver) do
    guard = guard(receiver, self())
    %{receiver: receiver, before: %{}, samples: [{now(), 0}], last: %Progress{}, width: 0, guard: guard}
  end

  defp added(counter, now, before) when counter in @counters, do: now + before
  defp added(_total, _of_part, of_all), do: of_all

  # Ends the line or the bar if its owner is killed, as by stopping a cell, or interrupted in IEx.
  defp guard({:bar, _label}, owner), do: guard_shown(owner, fn -> :io.put_chars("\n") end)

  defp guard({:frame, frame, label}, owner),
    do: guard_shown(owner, fn -> Cell.render(frame, Cell.text("#{label}: stopped")) end)

  defp guard(_receiver, _owner), do: nil

  defp guard_shown(owner, finish) do
    spawn(fn ->
      monitor = Process.monitor(owner)

      receive do
        :finished -> :ok
        {:DOWN, ^monitor, :process, ^owner, _reason} -> finish.()
      end
    end)
  end

  defp deliver(%{receiver: nil} = reporter), do: reporter

  # Padded to overwrite the previous line: not all terminals that support \r support more.
  defp deliver(%{receiver: {:bar, label}, last: progress} = reporter) do
    line = Line.text(progress, label, columns())
    IO.write(["\r", String.pad_trailing(line, reporter.width)])
    %{reporter | width: String.length(line)}
  rescue
    # The terminal was closed; the download continues.
    ErlangError -> %{reporter | receiver: nil}
  end

  defp deliver(%{receiver: {:frame, frame, label}, last: progress} = reporter) do
    Cell.render(frame, Cell.bar(progress, label))
    reporter
  end

  defp deliver(%{receiver: pid, last: progress} = reporter) when is_pid(pid) do
    if progress.activity in [:done, :failed] or reads_mail?(pid), do: send(pid, {:hf_hub_progress, progress})
    reporter
  end

  defp deliver(%{receiver: fun, last: progress} = reporter) do
    fun.(progress)
    reporter
  catch
    kind, reason ->
      Logger.warning(
        "the :progress function failed and is not called again: " <> Exception.format(kind, reason)
      )

      %{reporter | receiver: nil}
  end

  defp reads_mail?(pid) when node(pid) != node(), do: true

  defp reads_mail?(pid) do
    case Process.info(pid, :message_queue_len) do
      {:message_queue_len, length} -> length < @mailbox_limit
      nil -> false
    end
  end

  # The average over about three seconds.
  defp speed(samples, bytes) do
    time = now()
    samples = [{time, bytes} | Enum.take_while(samples, fn {then, _} -> time - then < 3_000 end)]
    {first_time, first_bytes} = List.last(samples)
    elapsed = max(time - first_time, 1)
    {div(max(bytes - first_bytes, 0) * 1000, elapsed), samples}
  end

  # The first bytes may be those of a small file, whose speed is not that of the others.
  defp known?([{last, _bytes} | _] = samples), do: last - elem(List.last(samples), 0) >= @first_eta

  defp eta(%{bytes_total: total, bytes_done: done}, speed) when is_integer(total) and speed > 0 do
    div(max(total - done, 0) * 1000, speed)
  end

  defp eta(_progress, _speed), do: nil

  defp now, do: System.monotonic_time(:millisecond)

  defp columns do
    case :io.columns() do
      {:ok, columns} -> columns
      {:error, _unknown} -> if livebook?(), do: @cell_columns, else: 80
    end
  end

  defp shown? do
    case Setting.value(:progress_bars) do
      nil -> match?({:ok, _}, :io.columns()) or livebook?()
      decided -> decided
    end
  end

  # Livebook reports no columns, but supports \r.
  @doc "Returns whether the output of this process is shown by Livebook."
  @spec livebook?() :: boolean()
  def livebook? do
    leader = Process.group_leader()

    with true <- node(leader) == node(),
         {:dictionary, dictionary} <- Process.info(leader, :dictionary) do
      match?({Livebook.Runtime.Evaluator.IOProxy, _, _}, dictionary[:"$initial_call"])
    else
      _other -> false
    end
  end
end
