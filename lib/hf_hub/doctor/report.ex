defmodule HfHub.Doctor.Report do
  @moduledoc """
  What `HfHub.Doctor.run/1` has found. It contains no secrets; `to_string/1` returns it as lines to paste.
  """

  alias HfHub.Doctor.Check

  use HfHub.Schema,
    checks: {[Check], "results, in the order in which they were checked"},
    endpoint: {:string, "base URL of the Hub, without a password"}

  defimpl String.Chars do
    @marks %{ok: "ok", warning: "WARN", error: "FAIL", skipped: "-"}

    def to_string(report) do
      width = report.checks |> Enum.map(&name_length/1) |> Enum.max(fn -> 0 end)
      Enum.map_join(report.checks, "\n", &line(&1, width))
    end

    defp name_length(check), do: check.name |> Atom.to_string() |> String.length()

    defp line(check, width) do
      mark = String.pad_trailing(@marks[check.status], 5)
      name = check.name |> Atom.to_string() |> String.pad_trailing(width + 1)
      advice = if check.advice, do: "\n" <> String.duplicate(" ", width + 7) <> "→ " <> check.advice, else: ""
      "#{mark} #{name}#{check.message}#{advice}"
    end
  end

  defimpl Inspect do
    def inspect(report, _opts), do: "#HfHub.Doctor.Report<\n#{report}\n>"
  end
end
