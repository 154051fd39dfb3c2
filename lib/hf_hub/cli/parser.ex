defmodule HfHub.CLI.Parser do
  # Reads the words of a command line by the table of its command.
  @moduledoc false

  alias HfHub.CLI.{Call, Command, Nearest, Output, RepoType}
  alias HfHub.Options

  @type result :: {:ok, Call.t()} | :help | {:usage, String.t()}

  @doc "Returns the call that the words make, `:help`, or what is wrong with them."
  @spec parse(Command.t(), [String.t()]) :: result()
  def parse(command, words) do
    # As `hf` does, a command that needs arguments and got nothing at all shows its help.
    if words == [] and Enum.any?(command.args, fn {_name, rule} -> Command.required?(rule) end),
      do: :help,
      else: parse(command, words, Command.flags(command))
  end

  defp parse(command, words, flags) do
    with {:ok, values, args} <- read(words, flags, command, %{}, []),
         false <- Map.has_key?(values, :help) && :help,
         {:ok, args} <- arguments(args, command.args),
         :ok <- required(values, flags),
         {:ok, args, values} <- RepoType.take(command, args, values),
         {:ok, output} <- Output.new(values) do
      {:ok, %Call{command: command, output: output, args: args, flags: defaults(values, flags)}}
    end
  end

  defp read([], _flags, _command, values, args), do: {:ok, values, Enum.reverse(args)}
  defp read(["--" | rest], _flags, _command, values, args), do: {:ok, values, Enum.reverse(args) ++ rest}

  defp read(["--" <> text | rest], flags, command, values, args) do
    {name, value} = split(text)

    with {:ok, flag, negated} <- long(name, flags),
         {:ok, values, rest} <- take(flag, "--" <> name, negated, value, rest, values),
         do: read(rest, flags, command, values, args)
  end

  defp read(["-" <> text | rest], flags, command, values, args) when text != "" do
    {letter, value} = String.split_at(text, 1)

    with {:ok, {_name, rule} = flag} <- short(letter, flags),
         {value, rest} = cluster(rule[:type], value, rest),
         {:ok, values, rest} <- take(flag, "-" <> letter, false, value, rest, values),
         do: read(rest, flags, command, values, args)
  end

  defp read([word | rest], flags, command, values, args) do
    args = [word | args]

    if command.rest and length(args) >= length(command.args) - 1,
      do: {:ok, values, Enum.reverse(args) ++ rest},
      else: read(rest, flags, command, values, args)
  end

  defp split(text) do
    case String.split(text, "=", parts: 2) do
      [name, value] -> {name, value}
      [name] -> {name, nil}
    end
  end

  # `-ab` is `-a -b` if a takes no value, and `-nVALUE` else.
  defp cluster(_type, "", rest), do: {nil, rest}
  defp cluster(:boolean, others, rest), do: {nil, ["-" <> others | rest]}
  defp cluster(_type, "=" <> value, rest), do: {value, rest}
  defp cluster(_type, value, rest), do: {value, rest}

  defp long(name, flags) do
    positive = String.replace_prefix(name, "no-", "")

    cond do
      flag = Enum.find(flags, &(name in Command.spellings(&1))) -> {:ok, flag, false}
      flag = Enum.find(flags, &negates?(&1, name, positive)) -> {:ok, flag, true}
      true -> unknown(name, flags)
    end
  end

  defp negates?({_name, rule} = flag, name, positive),
    do: rule[:negatable] == true and positive != name and positive in Command.spellings(flag)

  defp short(letter, flags) do
    case Enum.find(flags, fn {_name, rule} -> rule[:short] == letter end) do
      nil -> {:usage, "unknown option -#{letter}"}
      flag -> {:ok, flag}
    end
  end

  defp unknown(name, flags) do
    known = Enum.flat_map(flags, &Command.spellings/1)
    {:usage, "unknown option --#{name}" <> Nearest.hint(name, known, "--")}
  end

  defp take({name, rule}, shown, negated, value, rest, values) do
    case {rule[:type], value, rest} do
      {:boolean, nil, _rest} -> {:ok, Map.put(values, name, not negated), rest}
      {:boolean, _value, _rest} -> {:usage, "#{shown} takes no value"}
      {_type, nil, []} -> {:usage, "#{shown} requires a value"}
      {type, nil, [value | rest]} -> put(values, name, type, shown, value, rest)
      {type, value, rest} -> put(values, name, type, shown, value, rest)
    end
  end

  defp put(values, name, {:list, type}, shown, text, rest) do
    with {:ok, value} <- cast(type, text, shown),
         do: {:ok, Map.update(values, name, [value], &(&1 ++ [value])), rest}
  end

  defp put(values, name, type, shown, text, rest) do
    with {:ok, value} <- cast(type, text, shown), do: {:ok, Map.put(values, name, value), rest}
  end

  defp cast(:integer, text, shown) do
    case Integer.parse(text) do
      {number, ""} -> {:ok, number}
      _other -> {:usage, "#{shown} must be a whole number, got #{Options.shown(text)}"}
    end
  end

  defp cast(:float, text, shown) do
    case Float.parse(text) do
      {number, ""} -> {:ok, number}
      _other -> {:usage, "#{shown} must be a number, got #{Options.shown(text)}"}
    end
  end

  defp cast({:in, texts}, text, shown) do
    if text in texts,
      do: {:ok, text},
      else:
        {:usage,
         "#{shown} must be one of #{Enum.join(texts, ", ")}, got #{Options.shown(text)}" <>
           Nearest.hint(text, texts)}
  end

  defp cast(_text_or_path, text, _shown), do: {:ok, text}

  defp arguments(words, rules), do: arguments(words, rules, %{})

  defp arguments([], [], values), do: {:ok, values}
  defp arguments([word | _more], [], _values), do: {:usage, "unexpected argument #{Options.shown(word)}"}

  defp arguments([], [{name, rule} = arg | rules], values) do
    cond do
      Command.required?(rule) -> {:usage, "missing argument #{Command.placeholder(arg)}"}
      match?({:list, _type}, rule[:type]) -> arguments([], rules, Map.put(values, name, []))
      true -> arguments([], rules, Map.put(values, name, nil))
    end
  end

  defp arguments(words, [{name, rule} = arg], values) do
    case rule[:type] do
      {:list, type} -> several(words, type, arg, values)
      _one -> one(words, {name, rule}, [], values)
    end
  end

  defp arguments(words, [arg | rules], values), do: one(words, arg, rules, values)

  defp several(words, type, {name, _rule} = arg, values) do
    with {:ok, found} <- Call.each(words, &cast(type, &1, Command.placeholder(arg))),
         do: {:ok, Map.put(values, name, found)}
  end

  defp one([word | words], {name, rule} = arg, rules, values) do
    with {:ok, value} <- cast(rule[:type], word, Command.placeholder(arg)),
         do: arguments(words, rules, Map.put(values, name, value))
  end

  defp required(values, flags) do
    case Enum.find(flags, fn {name, rule} -> rule[:required] && not Map.has_key?(values, name) end) do
      nil -> :ok
      flag -> {:usage, "missing option --#{hd(Command.spellings(flag))}"}
    end
  end

  defp defaults(values, flags) do
    defaults =
      for {name, rule} <- flags, Keyword.has_key?(rule, :default), into: %{}, do: {name, rule[:default]}

    Map.merge(defaults, values)
  end
end
