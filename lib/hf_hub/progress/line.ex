defmodule HfHub.Progress.Line do
  # The progress line of a job in a terminal.
  @moduledoc false

  alias HfHub.{Brief, Progress}

  @doc "Returns the line, of at most `columns` characters."
  @spec text(Progress.t(), String.t(), pos_integer()) :: String.t()
  def text(progress, label, columns) do
    facts = Enum.join(facts(progress), "  ")
    room = max(columns - String.length(facts) - 3, 8)
    String.slice(shorten(label, room) <> "  " <> facts, 0, columns - 1)
  end

  @doc "Returns a bar of so many characters; `nil` while the size is unknown."
  @spec bar(Progress.t(), pos_integer()) :: String.t() | nil
  def bar(%{bytes_total: total, bytes_done: done}, cells) when is_integer(total) and total > 0 do
    full = div(min(done, total) * cells, total)
    String.duplicate("█", full) <> String.duplicate("░", cells - full)
  end

  def bar(_progress, _cells), do: nil

  defp facts(progress) do
    [percent(progress), bytes(progress), files(progress) | status(progress)]
    |> Enum.reject(&(&1 == ""))
  end

  defp percent(%{bytes_total: total, bytes_done: done}) when is_integer(total) and total > 0 do
    "#{div(min(done, total) * 100, total) |> to_string() |> String.pad_leading(3)}%"
  end

  defp percent(_progress), do: ""

  defp bytes(%{bytes_done: 0, bytes_total: nil}), do: ""
  defp bytes(%{bytes_total: nil} = progress), do: Brief.size(progress.bytes_done)
  defp bytes(progress), do: "#{Brief.size(progress.bytes_done)} of #{Brief.size(progress.bytes_total)}"

  defp files(%{files_total: total}) when total < 2, do: ""
  defp files(progress), do: "#{progress.files_done}/#{progress.files_total} files"

  defp status(%{activity: :done, bytes_resumed: 0}), do: ["done"]
  defp status(%{activity: :done} = progress), do: ["done, resumed at #{Brief.size(progress.bytes_resumed)}"]
  defp status(%{activity: :failed}), do: ["failed"]

  defp status(%{activity: :waiting_for_lock, file: nil}),
    do: ["waiting for another process to release its lock"]

  defp status(%{activity: :waiting_for_lock}),
    do: ["waiting for another process that is downloading this file"]

  defp status(%{activity: :stalled, wait: nil}), do: ["stalled: no data received"]

  defp status(%{activity: :stalled} = progress),
    do: ["connection lost: gives up in #{seconds(progress.wait)}"]

  defp status(%{activity: :rate_limited} = progress), do: ["rate limited, #{seconds(progress.wait)} left"]
  defp status(%{activity: :retrying} = progress), do: ["trying again in #{seconds(progress.wait)}"]
  defp status(%{activity: :hashing} = progress), do: ["hashing, #{Brief.size(progress.bytes_hashed)}"]
  defp status(%{activity: :committing}), do: ["committing"]
  defp status(%{speed: 0}), do: []
  defp status(%{eta: nil} = progress), do: ["#{Brief.size(progress.speed)}/s"]
  defp status(progress), do: ["#{Brief.size(progress.speed)}/s", "#{clock(progress.eta)} left"]

  defp seconds(nil), do: "a moment"
  defp seconds(ms), do: "#{div(ms + 999, 1000)} s"

  defp clock(ms) do
    {hours, minutes, seconds} =
      {div(ms, 3_600_000), div(rem(ms, 3_600_000), 60_000), div(rem(ms, 60_000), 1000)}

    if hours == 0, do: "#{minutes}:#{two(seconds)}", else: "#{hours}:#{two(minutes)}:#{two(seconds)}"
  end

  defp two(number), do: number |> to_string() |> String.pad_leading(2, "0")

  defp shorten(label, room) do
    length = String.length(label)
    if length <= room, do: label, else: "…" <> String.slice(label, length - room + 1, room)
  end
end
