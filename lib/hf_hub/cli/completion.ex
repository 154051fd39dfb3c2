defmodule HfHub.CLI.Completion do
  # Scripts that let bash and zsh complete the words of commands, options, values and files.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI
  alias HfHub.CLI.{Command, Noun}

  @impl true
  def noun, do: [name: "completion", summary: "Prints a script that completes commands in a shell"]

  @impl true
  def commands do
    [
      command("bash", &bash/1, ~s|eval "$(bin/hf_hub completion bash)"|),
      command("zsh", &zsh/1, ~s|eval "$(bin/hf_hub completion zsh)"|)
    ]
  end

  defp command(shell, run, how) do
    struct!(Command,
      words: [shell],
      summary: "Prints the script for #{shell}",
      details: "To use it, add this line to the startup file of the shell: `#{how}`",
      hub: false,
      own_json: true,
      run: run
    )
  end

  # One function looks the words up: those that are followed by the cursor's word, and its candidates.
  defp bash(_call) do
    {:raw,
     """
     _hf_hub() {
       local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words= i found files
       # --option=value is three words.
       [[ $word != = ]] || word=
       [[ $before != = ]] || before=${COMP_WORDS[COMP_CWORD-2]}
       for ((i = 1; i < COMP_CWORD; i++)); do
         case ${COMP_WORDS[i]} in -*) ;; *) words="$words ${COMP_WORDS[i]}" ;; esac
       done
       _hf_hub_candidates "$words" "$before"
       COMPREPLY=($(compgen -W "$found" -- "$word"))
       [[ -z $files ]] || while IFS= read -r i; do COMPREPLY+=("$i"); done < <(compgen -f -- "$word")
     }

     #{candidates()}
     complete -o filenames -F _hf_hub hf_hub
     """
     |> String.trim_trailing()}
  end

  defp zsh(_call) do
    {:raw,
     """
     #compdef hf_hub
     _hf_hub() {
       local word=${words[CURRENT]} before=${words[CURRENT-1]} given= i found files
       [[ $word != --*=* ]] || { before=${word%%=*}; compset -P '*='; }
       for ((i = 2; i < CURRENT; i++)); do
         case ${words[i]} in -*) ;; *) given="$given ${words[i]}" ;; esac
       done
       _hf_hub_candidates "$given" "$before"
       compadd -- ${=found}
       [[ -z $files ]] || _files
     }

     #{candidates()}
     compdef _hf_hub hf_hub
     """
     |> String.trim_trailing()}
  end

  # `case` in both shells: the value of an option first, then the longest words that begin a command.
  defp candidates do
    """
    _hf_hub_candidates() {
      found= files=
      case "$1:$2" in
    #{Enum.join(values(), "\n")}
      esac
      case "$1" in
    #{Enum.join(commands_by_words(), "\n")}
        "") found="#{Enum.join(nouns(), " ")} --help --version" ;;
      esac
    }
    """
    |> String.trim_trailing()
  end

  defp nouns, do: Enum.flat_map(CLI.nouns(), &Noun.names/1)

  # Options with a closed set of values, or a path.
  defp values do
    for noun <- CLI.nouns(),
        command <- Noun.commands(noun),
        {_name, rule} = flag <- Command.flags(command),
        found = value(rule[:type]),
        do: "    #{prefixes(noun, command, flag)}) #{found}; return ;;"
  end

  defp value({:list, type}), do: value(type)
  defp value({:in, texts}), do: ~s|found="#{Enum.join(texts, " ")}"|
  defp value(:path), do: "files=1"
  defp value(_any), do: nil

  defp prefixes(noun, command, {_name, rule} = flag) do
    spellings =
      for(name <- Command.spellings(flag), do: "--" <> name) ++
        if(rule[:short], do: ["-" <> rule[:short]], else: [])

    for(
      name <- Noun.names(noun),
      words <- spelled(command),
      spelling <- spellings,
      do: ~s(" #{Enum.join([name | words], " ")}"*:#{spelling})
    )
    |> Enum.join("|")
  end

  defp spelled(%{words: []}), do: [[]]

  defp spelled(command) do
    {parents, [last]} = Enum.split(command.words, -1)
    for word <- [last | command.aliases], do: parents ++ [word]
  end

  # Longer words first: `case` takes the first pattern that matches.
  defp commands_by_words do
    for(noun <- CLI.nouns(), command <- Noun.commands(noun), do: {noun, command})
    |> Enum.sort_by(fn {_noun, command} -> -length(command.words) end)
    |> Enum.map(fn {noun, command} -> complete(noun, command) end)
    |> Enum.concat(Enum.flat_map(CLI.nouns(), &beginnings/1))
  end

  defp complete(noun, command) do
    options = for flag <- Command.flags(command), name <- Command.spellings(flag), do: "--#{name}"

    negated =
      for {_name, rule} = flag <- Command.flags(command),
          rule[:negatable],
          do: "--no-#{hd(Command.spellings(flag))}"

    files =
      if Enum.any?(command.args, fn {_name, rule} -> rule[:complete] == :file end), do: " files=1", else: ""

    ~s[    #{patterns(noun, spelled(command))}) found="#{Enum.join(options ++ negated, " ")}"#{files} ;;]
  end

  defp patterns(noun, spellings) do
    for(
      name <- Noun.names(noun),
      words <- spellings,
      given = Enum.join([name | words], " "),
      do: ~s[" #{given}"|" #{given} "*]
    )
    |> Enum.join("|")
  end

  # The words that may follow a noun, and the first word of commands of two words.
  defp beginnings(noun) do
    commands = Enum.reject(Noun.commands(noun), &(&1.words == []))

    below =
      for(command <- commands, words <- spelled(command), length(words) == 2, do: words)
      |> Enum.group_by(&hd/1, &List.last/1)

    first = for command <- commands, [word | _more] <- spelled(command), uniq: true, do: word

    nested =
      for {word, last} <- below, do: ~s[    #{exactly(noun, [word])}) found="#{Enum.join(last, " ")}" ;;]

    nested ++
      if(first == [], do: [], else: [~s{    #{exactly(noun, [])}) found="#{Enum.join(first, " ")} --help" ;;}])
  end

  defp exactly(noun, words), do: Enum.map_join(Noun.names(noun), "|", &~s(" #{Enum.join([&1 | words], " ")}"))
end
