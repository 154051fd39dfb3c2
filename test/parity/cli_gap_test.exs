Code.require_file("../../mix/guides.exs", __DIR__)

defmodule HfHub.Parity.CLIGapTest do
  # Every command and option of the installed `hf` is in the table of commands, or in that of the differences.
  use ExUnit.Case, async: true

  alias HfHub.CLI
  alias HfHub.CLI.{Command, Noun}
  alias HfHub.Guides.Differences
  alias HfHub.Python

  @moduletag :python

  # Lines of commands, each with its options.
  @walk """
  import click
  from huggingface_hub.cli.hf import app

  def walk(command, words, parent):
      if hasattr(command, "materialize"):
          command = command.materialize()
      if isinstance(command, click.Group):
          context = click.Context(command, parent=parent, info_name=words[-1] if words else "hf")
          for name in command.list_commands(context):
              walk(command.get_command(context, name), words + [name], context)
      elif not command.hidden:
          options = [o for p in command.params if isinstance(p, click.Option) for o in p.opts + p.secondary_opts]
          print(" ".join(words), *options, sep="\\t")

  walk(app, [], None)
  """

  defp theirs do
    {output, 0} = Python.run(@walk, [], Python.env(System.tmp_dir!()))

    for line <- String.split(output, "\n", trim: true), [command | options] = String.split(line, "\t") do
      {command, options}
    end
  end

  defp ours do
    for noun <- CLI.nouns(), command <- Noun.commands(noun), command.hf != nil, into: %{} do
      {command.hf, Enum.flat_map(Command.flags(command), &spellings/1)}
    end
  end

  defp spellings({_name, rule} = flag) do
    long = for name <- Command.spellings(flag), do: "--" <> name
    short = if rule[:short], do: ["-" <> rule[:short]], else: []
    negated = if rule[:negatable], do: for("--" <> name <- long, do: "--no-" <> name), else: []
    long ++ short ++ negated
  end

  defp lacking do
    ours = ours()

    Enum.flat_map(theirs(), fn {command, options} ->
      case ours[command] do
        nil -> [command]
        spellings -> for option <- options -- spellings, do: "#{command} #{option}"
      end
    end)
  end

  test "what hf has and this command line lacks is in the table of differences" do
    lacking = lacking()
    explained = for {names, _why} <- Differences.missing(), name <- names, do: name
    covers? = fn name, lack -> lack == name or String.starts_with?(lack, name <> " ") end

    unexplained = for lack <- lacking, not Enum.any?(explained, &covers?.(&1, lack)), do: lack
    assert unexplained == []

    idle = for name <- explained, not Enum.any?(lacking, &covers?.(name, &1)), do: name
    assert idle == []
  end

  test "the commands that are named after one of hf have one of that name" do
    assert Map.keys(ours()) -- Enum.map(theirs(), &elem(&1, 0)) == []
  end
end
