defmodule HfHub.CLI.Guide do
  # The guide of the command line, written from the table of commands. A test compares guides/command_line.md with it.
  @moduledoc false

  alias HfHub.CLI
  alias HfHub.CLI.{Flags, Help, Noun}

  @intro """
  # Command line

  The commands are those of `hf`, the command line of the Python client: its words, options, exit statuses, and the
  fields of its JSON. Each is a Mix task in a project that depends on the library, and a command of `bin/hf_hub`
  elsewhere.

      mix hf_hub.download openai-community/gpt2 config.json
      bin/hf_hub download openai-community/gpt2 config.json

  The result goes to stdout, everything else to stderr: progress, warnings, questions, errors.
  Progress is shown on a terminal only, and never with `--json` and `--quiet`.

  | exit status | when |
  |---|---|
  | 0 | the command succeeded |
  | 1 | it failed or was interrupted, or found a problem |
  | 2 | unknown command or option, or a value of the wrong form |

  ## Outside of a project

  `bin/hf_hub` in a checkout of the library runs what `mix compile` has built there, from any folder.
  In a release, copy the file to the `bin` folder of the release, for example by `rel/overlays/bin/hf_hub`.
  It then runs in the release, with its settings.
  A release can also run a command without the file:

      bin/my_app eval 'HfHub.CLI.main(["download", "openai-community/gpt2", "config.json"])'

  Ctrl-C ends a command of `bin/hf_hub` with the exit status 1. What a download has received so far stays, and the
  same command continues there. In a Mix task, Ctrl-C shows the menu of the Erlang VM; `a` ends the task.

  ## Completion

  One of these lines in the startup file of the shell completes commands, options, their values and files:

      eval "$(bin/hf_hub completion bash)"
      eval "$(bin/hf_hub completion zsh)"

  ## Options of all commands
  """

  @doc "Returns the text of the guide."
  @spec text() :: String.t()
  def text do
    shared = Help.flags_markdown(Flags.common(false) ++ Flags.hub())

    note =
      "`--format` and `--no-truncate` are not options of `cache`, and `--token` and `--endpoint` only of commands that " <>
        "call a Hub."

    sections = for noun <- CLI.nouns(), do: [section(noun), "\n"]
    IO.iodata_to_binary([@intro, "\n", shared, "\n\n", note, "\n\n", Enum.intersperse(sections, "\n")])
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
