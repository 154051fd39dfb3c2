defmodule HfHub.CLI.Help do
  # The help of commands: for a terminal, and as Markdown for the Mix tasks and the guide.
  @moduledoc false

  alias HfHub.CLI.{Command, Noun}

  @width 80
  # Of an example in the HTML documentation.
  @page 90

  @doc "Returns the help of a command. The program is what the words of the command follow."
  @spec command(Command.t(), String.t()) :: String.t()
  def command(command, program) do
    args = for {_name, rule} = arg <- command.args, do: {Command.placeholder(arg), rule[:doc]}
    flags = for flag <- Command.flags(command), do: flag(flag)

    sections([
      "Usage: #{usage(command, program)}",
      paragraph(command.summary <> ".", 2),
      command.details && paragraph(command.details, 2),
      list("Arguments:", args),
      list("Options:", flags),
      examples(command, program),
      command.hf && "The same as `hf #{command.hf}` of the Python client."
    ])
  end

  @doc "Returns the help of a noun with several commands."
  @spec noun(module(), String.t()) :: String.t()
  def noun(noun, program) do
    commands = for command <- Noun.commands(noun), do: {Enum.join(command.words, " "), command.summary}

    sections([
      "Usage: #{program} COMMAND [ARGUMENTS] [OPTIONS]",
      paragraph(noun.noun()[:summary] <> ".", 2),
      list("Commands:", commands),
      "#{program} COMMAND --help shows the arguments and options of a command."
    ])
  end

  @doc "Returns the help of the whole command line."
  @spec all([module()], String.t()) :: String.t()
  def all(nouns, program) do
    rows = for noun <- nouns, do: {Enum.join(Noun.names(noun), ", "), noun.noun()[:summary]}

    sections([
      "Usage: #{program} COMMAND [ARGUMENTS] [OPTIONS]",
      list("Commands:", rows),
      "#{program} COMMAND --help shows the commands, arguments and options of a command."
    ])
  end

  @doc "Returns the usage line of a command."
  @spec usage(Command.t(), String.t()) :: String.t()
  def usage(command, program), do: command |> usage_parts(program) |> Enum.join(" ")

  defp usage_parts(command, program) do
    required = for {_name, rule} = flag <- command.flags, rule[:required], do: elem(flag(flag), 0)
    [program | command.words] ++ Enum.map(command.args, &Command.placeholder/1) ++ required ++ ["[OPTIONS]"]
  end

  defp flag({_name, rule} = flag) do
    long = for name <- Command.spellings(flag), do: "--#{name}"
    short = if rule[:short], do: ["-#{rule[:short]}"], else: []
    negated = if rule[:negatable], do: ["--no-#{hd(Command.spellings(flag))}"], else: []
    {Enum.join(short ++ long ++ negated, ", ") <> value(rule[:type]), flag_doc(rule)}
  end

  defp value(:boolean), do: ""
  defp value({:list, type}), do: value(type)
  defp value({:in, texts}) when length(texts) <= 5, do: " " <> Enum.join(texts, "|")
  defp value({:in, _texts}), do: " VALUE"
  defp value(type), do: " " <> (type |> Atom.to_string() |> String.upcase())

  defp flag_doc(rule) do
    several = if match?({:list, _type}, rule[:type]), do: ["May be repeated"], else: []

    values =
      for {:in, texts} <- [inner(rule[:type])], length(texts) > 5, do: "One of #{Enum.join(texts, ", ")}"

    default = if default?(rule), do: ["Defaults to #{rule[:default]}"], else: []
    required = if rule[:required], do: ["Required"], else: []
    Enum.join([rule[:doc]] ++ values ++ several ++ default ++ required, ". ")
  end

  defp default?(rule), do: rule[:default] not in [nil, false, "auto"]

  defp inner({:list, type}), do: type
  defp inner(type), do: type

  defp examples(%{examples: []}, _program), do: nil

  defp examples(command, program) do
    start = Enum.join([program | command.words], " ")

    Enum.join(
      ["Examples:" | for(example <- command.examples, do: String.trim_trailing("  #{start} #{example}"))],
      "\n"
    )
  end

  defp sections(parts), do: parts |> Enum.reject(&(&1 in [nil, ""])) |> Enum.join("\n\n")

  defp list(_title, []), do: nil

  defp list(title, rows) do
    width =
      rows |> Enum.map(&String.length(elem(&1, 0))) |> Enum.filter(&(&1 <= 28)) |> Enum.max(fn -> 10 end)

    Enum.join([title | Enum.flat_map(rows, &entry(&1, width))], "\n")
  end

  defp entry({name, doc}, width) do
    [first | more] = wrap(plain(doc), @width - width - 4)
    indent = String.duplicate(" ", width + 4)

    head =
      if String.length(name) <= width,
        do: ["  " <> String.pad_trailing(name, width + 2) <> first],
        else: ["  " <> name, indent <> first]

    head ++ Enum.map(more, &(indent <> &1))
  end

  defp paragraph(text, indent) do
    space = String.duplicate(" ", indent)
    text |> plain() |> wrap(@width - indent) |> Enum.map_join("\n", &(space <> &1))
  end

  defp plain(text), do: String.replace(text, "`", "")

  defp wrap(text, width), do: text |> String.split() |> lines(width)

  defp lines(words, width) do
    words
    |> Enum.reduce([""], fn word, [line | lines] ->
      cond do
        line == "" -> [word | lines]
        String.length(line) + 1 + String.length(word) <= width -> [line <> " " <> word | lines]
        true -> [word, line | lines]
      end
    end)
    |> Enum.reverse()
  end

  @doc "Returns the documentation of a noun as Markdown, for its Mix task."
  @spec markdown(module(), String.t()) :: String.t()
  def markdown(noun, program) do
    commands = Noun.commands(noun)
    intro = noun.noun()[:summary] <> "."

    body =
      case commands do
        [%{words: []} = only] -> [command_markdown(only, program)]
        several -> [index(several, program), for(command <- several, do: section(command, program))]
      end

    [intro, body, noun.noun()[:details], footer()] |> List.flatten() |> sections()
  end

  defp index(commands, program),
    do: bullets(for command <- commands, do: {short_usage(command, program), command.summary})

  defp short_usage(command, program),
    do: Enum.join([program | command.words] ++ Enum.map(command.args, &Command.placeholder/1), " ")

  defp section(command, program),
    do: [
      "## #{Enum.join(command.words, " ")}",
      command.summary <> ".",
      command_markdown(command, program)
    ]

  @doc "Returns the usage, arguments, options and examples of a command as Markdown."
  @spec command_markdown(Command.t(), String.t()) :: String.t()
  def command_markdown(command, program) do
    sections([
      "    " <> (command |> usage_parts(program) |> lines(@page) |> Enum.join("\n        ")),
      command.details,
      bullets(for {_name, rule} = arg <- command.args, do: {Command.placeholder(arg), rule[:doc]}),
      flags_markdown(command.flags),
      markdown_examples(command, program)
    ])
  end

  @doc "Returns flags as a Markdown list."
  @spec flags_markdown(Command.rules()) :: String.t() | nil
  def flags_markdown(flags), do: bullets(for flag <- flags, do: flag(flag))

  defp bullets([]), do: nil
  defp bullets(rows), do: Enum.map_join(rows, "\n", fn {name, doc} -> "  * `#{name}` - #{doc}" end)

  defp markdown_examples(%{examples: []}, _program), do: nil

  defp markdown_examples(command, program) do
    start = Enum.join([program | command.words], " ")
    Enum.map_join(command.examples, "\n", &String.trim_trailing("    #{start} #{&1}"))
  end

  defp footer do
    """
    ## Exit status

    0 on success, 1 on errors and problems, 2 for invalid arguments. `--help` shows all options. Results go to stdout,
    progress and messages to stderr.

    The settings are those of the project, `config/runtime.exs` included. The application of the project is not started.
    """
  end
end
