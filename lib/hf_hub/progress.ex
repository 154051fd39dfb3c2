defmodule HfHub.Progress do
  @moduledoc """
  Progress of a download or an upload.

  Long-running functions accept `:progress`:

    * `true` shows a progress line in a terminal or in Livebook, and nothing elsewhere;
    * a function of arity 1 is called with a `HfHub.Progress` in the calling process;
    * a pid receives `{:hf_hub_progress, %HfHub.Progress{}}`.

  At most ten reports are sent per second, and none while the previous one is still being handled.
  The last one has the activity `:done` or `:failed`.

      parent = self()
      Task.async(fn ->
        HfHub.Download.snapshot_download(repo_id: "openai-community/gpt2", progress: parent)
      end)

      receive do
        {:hf_hub_progress, progress} -> progress.bytes_done
      end

  ## Fields

    * `:activity` - `:resolving`, `:downloading`, `:stalled` (no bytes received for some seconds, or
      broken connections that are tried again; `:wait` is then the time until it gives up),
      `:waiting_for_lock` (another process downloads the same file, or uploads the same folder), `:retrying`, `:rate_limited`; for
      uploads `:hashing`, `:uploading`, `:committing` (they overlap; the most recently active one is shown);
      and finally `:done` or `:failed`
    * `:wait` - remaining pause in milliseconds, or `nil`
    * `:file` - the file that made progress most recently
    * `:bytes_done`, `:bytes_total` - bytes; the total is `nil` while a size is unknown. For uploads, bytes the Hub
      already has count as done
    * `:bytes_resumed` - bytes taken over from an earlier attempt
    * `:bytes_received` - bytes transferred over the network in either direction, including repeated ones
    * `:bytes_hashed` - bytes of local files read to compute their hashes
    * `:files_done`, `:files_total` - files; in an upload, a file is done once it is committed
    * `:speed` - recent bytes per second
    * `:eta` - estimated milliseconds until completion, or `nil`
  """

  require Logger

  @type activity ::
          :resolving
          | :downloading
          | :hashing
          | :uploading
          | :committing
          | :stalled
          | :waiting_for_lock
          | :retrying
          | :rate_limited
          | :done
          | :failed

  @type t :: %__MODULE__{
          activity: activity(),
          wait: non_neg_integer() | nil,
          file: String.t() | nil,
          bytes_done: non_neg_integer(),
          bytes_total: non_neg_integer() | nil,
          bytes_resumed: non_neg_integer(),
          bytes_received: non_neg_integer(),
          bytes_hashed: non_neg_integer(),
          files_done: non_neg_integer(),
          files_total: non_neg_integer(),
          speed: non_neg_integer(),
          eta: non_neg_integer() | nil
        }

  @typedoc false
  @type reporter :: nil | map()

  defstruct activity: :resolving,
            wait: nil,
            file: nil,
            bytes_done: 0,
            bytes_total: nil,
            bytes_resumed: 0,
            bytes_received: 0,
            bytes_hashed: 0,
            files_done: 0,
            files_total: 0,
            speed: 0,
            eta: nil

  # A receiver that does not read its mail gets no more of it.
  @mailbox_limit 50

  @doc false
  # The type of the :progress option in option tables.
  def option do
    [
      type: {:or, [:boolean, {:fun, 1}, :pid]},
      doc:
        "`true` for a progress line in the terminal, a function of arity 1, or a pid; see `HfHub.Progress`. " <>
          "Defaults to no progress reports."
    ]
  end

  @doc false
  @spec start(term(), String.t()) :: reporter()
  def start(receiver, label) do
    case receiver do
      true -> if terminal?(), do: reporter({:bar, label})
      none when none in [nil, false] -> nil
      receiver -> reporter(receiver)
    end
  end

  @doc false
  @spec report(reporter(), map()) :: reporter()
  def report(nil, _fields), do: nil

  def report(reporter, fields) do
    {speed, samples} = speed(reporter.samples, fields.bytes_received)
    progress = struct!(__MODULE__, fields)
    progress = %{progress | speed: speed, eta: eta(progress, speed)}
    deliver(%{reporter | samples: samples, last: progress})
  end

  @doc false
  @spec stop(reporter(), :done | :failed) :: :ok
  def stop(nil, _activity), do: :ok

  def stop(reporter, activity) do
    reporter = deliver(%{reporter | last: %{reporter.last | activity: activity, wait: nil, eta: nil}})
    if reporter.guard, do: send(reporter.guard, :finished)
    if match?({:bar, _label}, reporter.receiver), do: IO.write("\n")
    :ok
  end

  defp reporter(receiver) do
    guard = if match?({:bar, _label}, receiver), do: guard_line(self())
    %{receiver: receiver, samples: [{now(), 0}], last: %__MODULE__{}, width: 0, guard: guard}
  end

  # Ends the line where its owner no longer can: killed, or interrupted in IEx.
  defp guard_line(owner) do
    spawn(fn ->
      monitor = Process.monitor(owner)

      receive do
        :finished -> :ok
        {:DOWN, ^monitor, :process, ^owner, _reason} -> :io.put_chars("\n")
      end
    end)
  end

  defp deliver(%{receiver: nil} = reporter), do: reporter

  # Padded over what was there before: not every place that knows \r knows more.
  defp deliver(%{receiver: {:bar, label}, last: progress} = reporter) do
    line = line(progress, label, columns())
    IO.write(["\r", String.pad_trailing(line, reporter.width)])
    %{reporter | width: String.length(line)}
  rescue
    # The terminal has gone; the download has not.
    ErlangError -> %{reporter | receiver: nil}
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

  # Over the last three seconds or so: steady enough to read, quick enough to believe.
  defp speed(samples, bytes) do
    time = now()
    samples = [{time, bytes} | Enum.take_while(samples, fn {then, _} -> time - then < 3_000 end)]
    {first_time, first_bytes} = List.last(samples)
    elapsed = max(time - first_time, 1)
    {div(max(bytes - first_bytes, 0) * 1000, elapsed), samples}
  end

  defp eta(%{bytes_total: total, bytes_done: done}, speed) when is_integer(total) and speed > 0 do
    div(max(total - done, 0) * 1000, speed)
  end

  defp eta(_progress, _speed), do: nil

  defp now, do: System.monotonic_time(:millisecond)

  @doc false
  # One line of at most `columns` characters.
  @spec line(t(), String.t(), pos_integer()) :: String.t()
  def line(progress, label, columns) do
    facts = Enum.join(facts(progress), "  ")
    room = max(columns - String.length(facts) - 3, 8)
    String.slice(shorten(label, room) <> "  " <> facts, 0, columns - 1)
  end

  defp facts(progress) do
    [percent(progress), bytes(progress), files(progress) | status(progress)]
    |> Enum.reject(&(&1 == ""))
  end

  defp percent(%{bytes_total: total, bytes_done: done}) when is_integer(total) and total > 0 do
    "#{div(min(done, total) * 100, total) |> to_string() |> String.pad_leading(3)}%"
  end

  defp percent(_progress), do: ""

  defp bytes(%{bytes_done: 0, bytes_total: nil}), do: ""
  defp bytes(%{bytes_total: nil} = progress), do: size(progress.bytes_done)
  defp bytes(progress), do: "#{size(progress.bytes_done)} of #{size(progress.bytes_total)}"

  defp files(%{files_total: total}) when total < 2, do: ""
  defp files(progress), do: "#{progress.files_done}/#{progress.files_total} files"

  defp status(%{activity: :done, bytes_resumed: 0}), do: ["done"]
  defp status(%{activity: :done} = progress), do: ["done, resumed at #{size(progress.bytes_resumed)}"]
  defp status(%{activity: :failed}), do: ["failed"]

  defp status(%{activity: :waiting_for_lock, file: nil}),
    do: ["waiting for another process that is at work in the same place"]

  defp status(%{activity: :waiting_for_lock}), do: ["waiting for another process that downloads this file"]
  defp status(%{activity: :stalled, wait: nil}), do: ["stalled: nothing arrives"]
  defp status(%{activity: :stalled} = progress), do: ["stalled: gives up in #{seconds(progress.wait)}"]
  defp status(%{activity: :rate_limited} = progress), do: ["rate limited, #{seconds(progress.wait)} left"]
  defp status(%{activity: :retrying} = progress), do: ["trying again in #{seconds(progress.wait)}"]
  defp status(%{activity: :hashing} = progress), do: ["hashing, #{size(progress.bytes_hashed)}"]
  defp status(%{activity: :committing}), do: ["committing"]
  defp status(%{speed: 0}), do: []
  defp status(%{eta: nil} = progress), do: ["#{size(progress.speed)}/s"]
  defp status(progress), do: ["#{size(progress.speed)}/s", "#{clock(progress.eta)} left"]

  @doc false
  # Decimal units, as the Hub's pages show them.
  def size(bytes) when bytes < 1000, do: "#{bytes} B"

  def size(bytes) do
    {unit, divisor} =
      Enum.find([{"GB", 1_000_000_000}, {"MB", 1_000_000}, {"kB", 1000}], fn {_, divisor} ->
        bytes >= divisor
      end)

    "#{:erlang.float_to_binary(bytes / divisor, decimals: 1)} #{unit}"
  end

  defp seconds(nil), do: "a moment"
  defp seconds(ms), do: "#{div(ms + 999, 1000)} s"

  defp clock(ms) do
    {minutes, seconds} = {div(ms, 60_000), div(rem(ms, 60_000), 1000)}
    "#{minutes}:#{seconds |> to_string() |> String.pad_leading(2, "0")}"
  end

  defp shorten(label, room) do
    length = String.length(label)
    if length <= room, do: label, else: "…" <> String.slice(label, length - room + 1, room)
  end

  defp columns do
    case :io.columns() do
      {:ok, columns} -> columns
      {:error, _unknown} -> 80
    end
  end

  defp terminal? do
    case HfHub.Config.progress_bars?() do
      nil -> match?({:ok, _}, :io.columns()) or livebook?()
      decided -> decided
    end
  end

  # Livebook has no geometry, but it does understand \r.
  @doc false
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
