defmodule HfHub.CLI.TableTest do
  # The table of commands, and what is made of it.
  use ExUnit.Case, async: true

  alias HfHub.CLI
  alias HfHub.CLI.{Command, Help, Noun, Parser}

  defp commands, do: Enum.flat_map(CLI.nouns(), &Noun.commands/1)

  test "every noun has a Mix task with the summary and the commands in its help" do
    for noun <- CLI.nouns(), noun != CLI.Completion do
      task = Mix.Task.get("hf_hub.#{Noun.name(noun)}")
      assert task, "no Mix task for #{Noun.name(noun)}"
      assert Mix.Task.shortdoc(task) == noun.noun()[:summary]
      for command <- Noun.commands(noun), do: assert(Mix.Task.moduledoc(task) =~ command.summary)
    end
  end

  test "names, aliases and spellings are unique" do
    names = Enum.flat_map(CLI.nouns(), &Noun.names/1)
    assert names == Enum.uniq(names)

    for noun <- CLI.nouns() do
      words =
        for command <- Noun.commands(noun),
            last <- Enum.take(command.words, -1) ++ command.aliases,
            do: Enum.drop(command.words, -1) ++ [last]

      assert words == Enum.uniq(words)
    end

    for command <- commands() do
      flags = Command.flags(command)
      spellings = Enum.flat_map(flags, &Command.spellings/1)
      assert spellings == Enum.uniq(spellings), Command.name(command)
      letters = for {_name, rule} <- flags, letter = rule[:short], do: letter
      assert letters == Enum.uniq(letters), Command.name(command)
    end
  end

  test "docs are phrases without a full stop, and lists come last" do
    for command <- commands() do
      docs = for {_name, rule} <- command.args ++ Command.flags(command), do: rule[:doc]

      for text <- [command.summary | docs] do
        assert is_binary(text) and text =~ ~r/^[A-Z]/ and not (text =~ ~r/\.$/),
               "#{Command.name(command)}: #{text}"
      end

      lists = for {name, rule} <- Enum.drop(command.args, -1), match?({:list, _}, rule[:type]), do: name
      assert lists == [], Command.name(command)
    end
  end

  test "help names every argument and flag, and has no line longer than a terminal" do
    for command <- commands() do
      help = Help.command(command, "hf_hub #{command.noun}")
      for arg <- command.args, do: assert(help =~ Command.placeholder(arg))
      for flag <- Command.flags(command), name <- Command.spellings(flag), do: assert(help =~ "--#{name}")

      for line <- String.split(help, "\n"), not (line =~ ~r/^(Usage:|  hf_hub )/) do
        assert String.length(line) <= 80, "#{Command.name(command)}: #{line}"
      end
    end
  end

  defp completion(shell),
    do: ExUnit.CaptureIO.capture_io(fn -> assert 0 == CLI.run(["completion", shell]) end)

  # Returns the candidates of bash for the last word.
  defp complete(words) do
    body =
      completion("bash") <>
        ~S"""
        COMP_WORDS=(hf_hub "$@"); COMP_CWORD=$#; _hf_hub; printf '%s\n' "${COMPREPLY[@]}"
        """

    {output, 0} = System.cmd("bash", ["-c", body, "bash" | words])
    String.split(output, "\n", trim: true)
  end

  test "bash completes commands, options, values and files" do
    assert "download" in complete([""]) and "repos" in complete([""])
    assert ["download"] = complete(["dow"])
    assert ["create"] = complete(["repo", "cr"])
    assert ["create", "delete"] = complete(["repos", "branch", ""])
    assert "--repo-type" in complete(["repo", "create", "me/x", "--re"])
    assert ["--no-private"] = complete(["repo", "create", "--no-p"])
    assert ["model", "dataset", "space"] = complete(["repo", "create", "me/x", "--type", ""])
    assert ["dataset"] = complete(["download", "me/x", "--repo-type", "d"])
    assert "lib" in complete(["download", "me/x", "--local-dir", "li"])
    assert "lib" in complete(["upload", "me/x", "li"])
    assert [] = complete(["nonsense", "x"])
    assert ["dataset"] = complete(["download", "me/x", "--repo-type", "=", "d"])
    assert ["model", "dataset", "space"] = complete(["download", "me/x", "--repo-type", "="])
  end

  test "bash completes a file whose name has spaces and patterns" do
    folder = Path.join(System.tmp_dir!(), "hf_hub_completion_#{System.unique_integer([:positive])}")
    File.mkdir_p!(folder)
    for name <- ["a [b] c.txt", "a b c.txt"], do: File.write!(Path.join(folder, name), "")
    found = complete(["upload", "me/x", folder <> "/a"])
    File.rm_rf!(folder)
    assert Enum.sort(found) == [folder <> "/a [b] c.txt", folder <> "/a b c.txt"]
  end

  # Types each line and a tab in a zsh at a terminal of its own, and waits until the screen matches its pattern.
  defp zsh(lines) do
    script = Path.join(System.tmp_dir!(), "hf_hub_completion_#{System.unique_integer([:positive])}")
    File.write!(script, completion("zsh"))

    steps =
      for {line, pattern} <- lines,
          do: "zpty -w -n z $'\\C-u#{line}\\t'; zpty -r z out '#{pattern}'; print found\n"

    setup = """
    zmodload zsh/zpty
    zpty z zsh -f -i
    zpty -w z "autoload -Uz compinit; compinit -u -D; source #{script}; PROMPT='> '; echo re''ady"
    zpty -r z out '*ready*'
    #{steps}zpty -d z
    """

    {output, _status} = System.cmd("zsh", ["-f", "-c", setup], stderr_to_stdout: true)
    File.rm!(script)
    String.split(output, "\n", trim: true)
  end

  @tag :zsh
  test "zsh completes commands, options and values" do
    lines = [
      {"hf_hub dow", "*hf_hub download*"},
      {"hf_hub repos branch ", "*create*delete*"},
      {"hf_hub repo create me/x --no-p", "*--no-private*"},
      {"hf_hub download me/x --repo-type d", "*--repo-type dataset*"},
      {"hf_hub download me/x --repo-type=d", "*--repo-type=dataset*"}
    ]

    assert zsh(lines) == for(_line <- lines, do: "found")
  end

  describe "parser" do
    @command struct!(Command,
               words: ["run"],
               noun: "jobs",
               summary: "Runs",
               run: &Function.identity/1,
               args: [image: [doc: "Image"], words: [type: {:list, :string}, required: false, doc: "Words"]],
               flags: [
                 env: [type: {:list, :string}, short: "e", doc: "Variable"],
                 repo_type: [type: {:in, ~w(model dataset)}, names: ["repo-type", "type"], doc: "Type"],
                 limit: [type: :integer, short: "n", default: 30, doc: "Limit"],
                 follow: [type: :boolean, short: "f", negatable: true, doc: "Follows"]
               ]
             )

    defp parse(words, command \\ @command) do
      case Parser.parse(command, words) do
        {:ok, call} -> {call.args, call.flags}
        other -> other
      end
    end

    test "takes all spellings of a flag, repeated ones and defaults" do
      assert {%{image: "i", words: []}, %{limit: 30, repo_type: "model"}} = parse(["i", "--type", "model"])
      assert {%{image: "i"}, %{repo_type: "dataset"}} = parse(["--repo-type=dataset", "i"])
      assert {_args, %{env: ["A=1", "B=2"], follow: true}} = parse(["-e", "A=1", "-fe", "B=2", "i"])
      assert {_args, %{limit: 5, follow: false}} = parse(["-n5", "--no-follow", "i"])
      assert {%{words: ["--limit", "-x"]}, %{limit: 30}} = parse(["i", "--", "--limit", "-x"])
    end

    test "leaves flags after the first argument to a command that is run elsewhere" do
      command = %{@command | rest: true}
      assert {%{words: ["ls", "--limit"]}, %{limit: 2}} = parse(["-n", "2", "i", "ls", "--limit"], command)
      assert {%{words: ["--limit"]}, _flags} = parse(["i", "--limit"], command)
    end

    test "checks each value of the last argument" do
      command = %{@command | args: [id: [doc: "Id"], ports: [type: {:list, :integer}, doc: "Ports"]]}
      assert {%{ports: [1, 2]}, _flags} = parse(["i", "1", "2"], command)
      assert {:usage, "PORTS... must be a whole number, got \"x\""} = parse(["i", "1", "x"], command)
    end

    test "names what is wrong, and the nearest name" do
      assert {:usage, "unknown option --limti; did you mean --limit?"} = parse(["i", "--limti", "2"])
      assert {:usage, "--limit must be a whole number, got \"x\""} = parse(["i", "--limit", "x"])

      assert {:usage, "--type must be one of model, dataset, got \"modle\"; did you mean model?"} =
               parse(["--type", "modle"])

      assert {:usage, "--follow takes no value"} = parse(["i", "--follow=1"])
      assert {:usage, "--env requires a value"} = parse(["i", "--env"])
      assert {:usage, "missing argument IMAGE"} = parse(["--limit", "2"])

      assert {:usage, "--json, --quiet and --format are mutually exclusive"} =
               parse(["i", "--json", "--format", "human"])

      assert {:usage, "unknown option -x"} = parse(["-x"])
    end

    test "shows no token in a message" do
      assert {:usage, message} = parse(["i", "--limit", "hf_" <> String.duplicate("abcdefgh", 5)])
      refute message =~ "abcdefgh"
    end

    test "help needs no arguments" do
      assert :help == parse(["--help"])
      assert :help == parse([])
      assert :help == parse(["i", "-h"])
    end
  end
end
