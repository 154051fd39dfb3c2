defmodule HfHub.ScheduledJobs.Schedule do
  # Checks schedules before a request.
  @moduledoc false

  alias HfHub.Options

  @names ~w(@annually @yearly @monthly @weekly @daily @hourly)

  @doc "Returns a schedule. Raises `ArgumentError` if it is neither a name nor has the fields of a cron expression."
  @spec check!(term()) :: String.t()
  def check!(schedule) do
    if is_binary(schedule) and (schedule in @names or cron?(schedule)),
      do: schedule,
      else:
        raise(
          ArgumentError,
          "expected the schedule to be one of #{Enum.join(@names, ", ")}, or a cron expression of five fields such as " <>
            "\"0 9 * * 1\", got: #{Options.shown(schedule)}"
        )
  end

  # The Hub reads the fields.
  defp cron?(text), do: text =~ ~r"\A[-0-9A-Za-z*/,?#]+( [-0-9A-Za-z*/,?#]+){4,5}\z"
end
