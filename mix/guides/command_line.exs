Code.require_file("differences.exs", __DIR__)

defmodule HfHub.Guides.CommandLine do
  # The options and commands of the command line, from the table of commands.
  @moduledoc false

  alias HfHub.CLI
  alias HfHub.CLI.{Flags, Help, Noun}
  alias HfHub.Guides.Differences

  @doc "Returns this part of the guide."
  @spec text() :: String.t()
  def text do
    shared = Help.flags_markdown(Flags.common(false) ++ Flags.hub())

    note =
      "`--format` and `--no-truncate` are not options of `cache`, and `--token` and `--endpoint` only of commands that " <>
        "call a Hub."

    sections = for noun <- CLI.nouns(), do: [section(noun), "\n"]

    IO.iodata_to_binary([
      shared,
      "\n\n",
      note,
      "\n\n",
      Enum.intersperse(sections, "\n"),
      "\n",
      Differences.markdown()
    ])
  end

  defp section(noun) do
    name = Noun.name(noun)
    title = "## #{name}\n\n#{noun.noun()[:summary]}.\n"
    commands = for command <- Noun.commands(noun), do: ["\n", command(command, "hf_hub #{name}")]
    details = if noun.noun()[:details], do: ["\n", noun.noun()[:details], "\n"], else: []
    [title, commands, details]
  end

  defp command(%{words: []} = command, program), do: [Help.command_markdown(command, program), "\n"]

  defp command(command, program) do
    [
      "### #{command.noun} #{Enum.join(command.words, " ")}\n\n#{command.summary}.\n\n",
      Help.command_markdown(command, program),
      "\n"
    ]
  end
end
