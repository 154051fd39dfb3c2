defmodule HfHub.Auth.Ini do
  # The format of `stored_tokens`, as Python's configparser reads and writes it: field names in lower
  # case, no escapes, `=` or `:`, comments on lines of their own, values that continue on indented
  # lines. Unknown fields are kept.
  @moduledoc false

  @type section :: {String.t(), [{String.t(), String.t()}]}

  @doc """
  Parses the text into sections.

      iex> HfHub.Auth.Ini.parse("[laptop]\\nhf_token = hf_a\\n# mine\\nExpires_At: 5\\n")
      [{"laptop", [{"hf_token", "hf_a"}, {"expires_at", "5"}]}]
  """
  @spec parse(String.t()) :: [section()]
  def parse(text) do
    text
    |> String.trim_leading("\uFEFF")
    |> String.split(~r/\r?\n/)
    |> Enum.reduce([], &line/2)
    |> Enum.map(fn {name, fields} -> {name, Enum.reverse(fields)} end)
    |> Enum.reverse()
    # configparser rejects a repeated section; here the last one is used.
    |> Enum.reverse()
    |> Enum.uniq_by(&elem(&1, 0))
    |> Enum.reverse()
  end

  @doc """
  Returns the text of the sections, sorted by name.

      iex> HfHub.Auth.Ini.render([{"b", [{"hf_token", "hf_b"}]}, {"a", [{"hf_token", "hf_a"}]}])
      "[a]\\nhf_token = hf_a\\n\\n[b]\\nhf_token = hf_b\\n\\n"
  """
  @spec render([section()]) :: String.t()
  def render(sections) do
    sections
    |> Enum.sort()
    |> Enum.map_join(fn {name, fields} ->
      lines = for {field, value} <- fields, do: "#{field} = #{String.replace(value, "\n", "\n\t")}\n"
      "[#{name}]\n#{lines}\n"
    end)
  end

  @doc """
  Returns a name that is valid as a section header. To configparser, `DEFAULT` is not a section.

      iex> HfHub.Auth.Ini.name("my\\nlaptop")
      "my laptop"
  """
  @spec name(String.t()) :: String.t()
  def name(text) do
    case text |> String.replace(~r/[[:cntrl:]]+/u, " ") |> String.trim() do
      "" -> "token"
      "DEFAULT" -> "DEFAULT_"
      name -> name
    end
  end

  defp line(line, sections) do
    trimmed = String.trim(line)

    cond do
      trimmed == "" or String.starts_with?(trimmed, ["#", ";"]) -> sections
      line =~ ~r/^\s/ -> go_on(trimmed, sections)
      header = Regex.run(~r/^\[(.+)\]/, trimmed) -> [{List.last(header), []} | sections]
      true -> field(Regex.run(~r/^(.+?)\s*[=:]\s*(.*)$/, trimmed), sections)
    end
  end

  defp go_on(text, [{name, [{field, value} | fields]} | rest]) do
    [{name, [{field, value <> "\n" <> text} | fields]} | rest]
  end

  defp go_on(_text, sections), do: sections

  defp field([_line, field, value], [{name, fields} | rest]) do
    [{name, [{String.downcase(field), value} | fields]} | rest]
  end

  # A field before any section, or a line without a value.
  defp field(_none, sections), do: sections
end
