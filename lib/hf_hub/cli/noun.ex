defmodule HfHub.CLI.Noun do
  # A noun of the command line, such as `repo`: a module with a table of commands, and a Mix task.
  #
  # To add one: a module with this behaviour in `cli/`, its name in the list of `HfHub.CLI`, and a task of five lines in
  # `lib/mix/tasks` (see `HfHub.CLI.Task`).
  @moduledoc false

  alias HfHub.CLI.Command

  @doc "Returns `:name`, `:summary`, and `:aliases`, other names for the launcher."
  @callback noun() :: keyword()

  @doc "Returns the commands."
  @callback commands() :: [Command.t()]

  @doc "Returns the name of a noun."
  @spec name(module()) :: String.t()
  def name(noun), do: noun.noun()[:name]

  @doc "Returns all names of a noun."
  @spec names(module()) :: [String.t()]
  def names(noun), do: [name(noun) | noun.noun()[:aliases] || []]

  @doc "Returns the commands of a noun, with its name."
  @spec commands(module()) :: [Command.t()]
  def commands(noun), do: for(command <- noun.commands(), do: %{command | noun: name(noun)})

  @doc "Returns the command that the words begin with, and the other words."
  @spec find(module(), [String.t()]) :: {:ok, Command.t(), [String.t()]} | :error
  def find(noun, words) do
    found = for command <- commands(noun), rest = rest(command, words), do: {command, rest}

    case Enum.max_by(found, fn {command, _rest} -> length(command.words) end, fn -> nil end) do
      {command, rest} -> {:ok, command, rest}
      nil -> :error
    end
  end

  defp rest(%{words: []}, words), do: words

  defp rest(command, words) do
    {given, rest} = Enum.split(words, length(command.words))
    {parents, [last]} = Enum.split(command.words, -1)
    if Enum.any?([last | command.aliases], &(parents ++ [&1] == given)), do: rest
  end
end
