defmodule HfHub.Doctor.Clock do
  # Compares the clock of this machine with the time of a response.
  @moduledoc false

  import HfHub.Doctor, only: [check: 3, check: 4]

  # Signed URLs and tokens of CI jobs are valid for minutes.
  @seconds_to_warn 60
  @seconds_to_fail 300

  @doc "Returns the result for the `Date` header of a response that came at a time."
  @spec check(String.t() | nil, DateTime.t()) :: HfHub.Doctor.Check.t()
  def check(header, now) do
    case header && parse(header) do
      nil -> check(:clock, :skipped, "the Hub sends no time")
      time -> compared(DateTime.diff(now, time), time)
    end
  end

  defp compared(seconds, time) do
    shown = "#{seconds(abs(seconds))} #{if seconds >= 0, do: "ahead of", else: "behind"} the Hub"
    advice = "set the clock, for example with NTP; the time of the Hub is #{time}"

    cond do
      abs(seconds) >= @seconds_to_fail -> check(:clock, :error, shown, advice: advice)
      abs(seconds) >= @seconds_to_warn -> check(:clock, :warning, shown, advice: advice)
      true -> check(:clock, :ok, "as the Hub's, to #{seconds(abs(seconds))}")
    end
  end

  defp seconds(n) when n >= 172_800, do: "#{div(n, 86_400)} days"
  defp seconds(n) when n >= 7200, do: "#{div(n, 3600)} hours"
  defp seconds(n) when n >= 120, do: "#{div(n, 60)} minutes"
  defp seconds(n), do: "#{n} s"

  @months ~w(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec)

  # The format that HTTP prescribes: Sun, 06 Nov 1994 08:49:37 GMT.
  defp parse(text) do
    with [_all, day, month, year, time] <-
           Regex.run(~r/\A\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}:\d{2}:\d{2}) GMT\z/, text),
         index when index != nil <- Enum.find_index(@months, &(&1 == month)),
         month = String.pad_leading("#{index + 1}", 2, "0"),
         {:ok, time, 0} <- DateTime.from_iso8601("#{year}-#{month}-#{day}T#{time}Z") do
      time
    else
      _other -> nil
    end
  end
end
