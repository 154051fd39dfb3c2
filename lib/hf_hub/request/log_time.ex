defmodule HfHub.Request.LogTime do
  # The times of the events of a log, whose data is an object with a timestamp.
  @moduledoc false

  @doc "Returns whether an event is newer than a response that began at this time, in whole seconds since 1970."
  @spec newer?(term(), integer() | nil) :: boolean()
  def newer?(_event, nil), do: false

  def newer?(event, seconds) do
    time = time(event)
    time != nil and DateTime.to_unix(time, :microsecond) > (seconds + 1) * 1_000_000
  end

  @doc "Returns whether an event is later than another one; `false` if a time is unknown."
  @spec later?(term(), term()) :: boolean()
  def later?(event, other) do
    {time, other} = {time(event), time(other)}
    time != nil and other != nil and DateTime.compare(time, other) == :gt
  end

  defp time(%{"timestamp" => text}) when is_binary(text) do
    case DateTime.from_iso8601(text) do
      {:ok, time, _offset} -> time
      {:error, _reason} -> nil
    end
  end

  defp time(_event), do: nil
end
