defmodule HfHub.CLI.Progress do
  # The progress line of a command. It goes to stderr, because stdout is for results.
  @moduledoc false

  alias HfHub.Config.Setting
  alias HfHub.Progress.Line

  @doc "Returns a receiver of progress reports, or `false` if stderr is not a terminal."
  @spec receiver(String.t()) :: (HfHub.Progress.t() -> :ok) | false
  def receiver(label) do
    wanted = Setting.value(:progress_bars)

    case :io.columns(:standard_error) do
      {:ok, columns} when wanted != false -> &show(&1, label, columns)
      _no_terminal -> wanted == true && (&show(&1, label, 80))
    end
  end

  # Padded to overwrite the previous line: not all terminals that support \r support more.
  defp show(progress, label, columns) do
    line = Line.text(progress, progress.file || label, columns)
    ended = if progress.activity in [:done, :failed], do: "\n", else: ""
    IO.write(:stderr, ["\r", String.pad_trailing(line, columns - 1), ended])
  end
end
