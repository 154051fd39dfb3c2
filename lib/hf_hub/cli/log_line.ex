defmodule HfHub.CLI.LogLine do
  # Warnings of the library on stderr, as a command prints its own.
  @moduledoc false

  @doc "Formats a message for `Logger`."
  @spec format(atom(), IO.chardata(), term(), keyword()) :: IO.chardata()
  def format(level, message, _time, _metadata), do: [name(level), message, "\n"]

  defp name(level) when level in [:warn, :warning], do: "Warning: "
  defp name(level) when level in [:debug, :info, :notice], do: ""
  defp name(_error), do: "Error: "
end
