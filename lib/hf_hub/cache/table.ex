defmodule HfHub.Cache.Table do
  # Formats the tables of `mix hf_hub.cache`. Names come from folders on disk, which other programs
  # may have created, so only their printable characters are shown.
  @moduledoc false

  @columns 80
  # Maximum width of the columns after the first, which gets the remaining width.
  @widest 20

  @wide [
    0x1100..0x115F,
    0x2E80..0xA4CF,
    0xAC00..0xD7A3,
    0xF900..0xFAFF,
    0xFE30..0xFE6F,
    0xFF00..0xFF60,
    0xFFE0..0xFFE6,
    0x1F300..0x1FAFF,
    0x20000..0x3FFFD
  ]

  @doc "Returns rows as lines of at most the terminal's width; the first column is truncated if necessary."
  def format(rows) do
    rows = for row <- rows, do: Enum.map(row, &printable/1)

    [_first | widths] =
      for column <- Enum.zip(rows), do: column |> Tuple.to_list() |> Enum.map(&width/1) |> Enum.max()

    widths = Enum.map(widths, &min(&1, @widest))
    room = @columns - 1 - Enum.sum(widths) - 2 * length(widths)
    Enum.map_join(rows, "\n", &line(&1, [room | widths]))
  end

  @doc "Returns a text with invalid and control characters replaced."
  def printable(text) do
    if String.valid?(text),
      do: String.replace(text, ~r/[[:cntrl:]\x{200E}\x{200F}\x{202A}-\x{202E}\x{2066}-\x{2069}]/u, "�"),
      else: for(<<byte <- text>>, into: "", do: if(byte in 32..126, do: <<byte>>, else: "�"))
  end

  defp line(cells, widths) do
    cells
    |> Enum.zip(widths)
    |> Enum.map_join("  ", fn {cell, width} -> fit(cell, width) end)
    |> String.trim_trailing()
  end

  defp fit(text, width) do
    missing = width - width(text)

    if missing >= 0,
      do: text <> String.duplicate(" ", missing),
      else: cut(String.graphemes(text), width - 1, "")
  end

  defp cut([grapheme | rest], room, kept) do
    left = room - width(grapheme)
    if left >= 0, do: cut(rest, left, kept <> grapheme), else: kept <> "…" <> String.duplicate(" ", room)
  end

  defp width(text), do: text |> String.graphemes() |> Enum.map(&grapheme_width/1) |> Enum.sum()

  defp grapheme_width(<<codepoint::utf8, _rest::binary>>) do
    if Enum.any?(@wide, &(codepoint in &1)), do: 2, else: 1
  end
end
