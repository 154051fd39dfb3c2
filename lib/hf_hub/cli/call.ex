defmodule HfHub.CLI.Call do
  # A command with the values of its arguments and flags.
  @moduledoc false

  alias HfHub.CLI.{Command, Output, Progress}
  alias HfHub.Config

  @enforce_keys [:command, :output]
  defstruct [:command, :output, args: %{}, flags: %{}]

  @type t :: %__MODULE__{
          command: Command.t(),
          output: Output.t(),
          args: %{atom() => term()},
          flags: %{atom() => term()}
        }

  @doc """
  Returns options of a function of the library: the given flags of that name, and those that calls to a Hub have in common.

  A name may be `{flag, option}`.
  """
  @spec options(t(), [atom() | {atom(), atom()}]) :: keyword()
  def options(call, names \\ []) do
    names = if call.command.hub, do: names ++ [:token, :endpoint], else: names

    for name <- names, {flag, option} = pair(name), (value = call.flags[flag]) != nil, do: {option, value}
  end

  defp pair({flag, option}), do: {flag, option}
  defp pair(name), do: {name, name}

  @doc "Returns the results of a function for several arguments, or the first error."
  @spec each([item], (item -> {:ok, term()} | {:error, term()})) :: {:ok, [term()]} | {:error, term()}
        when item: term()
  def each(items, work) do
    Enum.reduce_while(items, {:ok, []}, fn item, {:ok, done} ->
      case work.(item) do
        {:ok, found} -> {:cont, {:ok, done ++ [found]}}
        failed -> {:halt, failed}
      end
    end)
  end

  @doc "Returns the base URL of the Hub that a command calls."
  @spec endpoint(t()) :: String.t()
  def endpoint(call), do: String.trim_trailing(call.flags[:endpoint] || Config.endpoint(), "/")

  @doc "Returns the option `:progress`: on a terminal, unless the format is for programs."
  @spec progress(t(), String.t()) :: keyword()
  def progress(call, label), do: [progress: call.output.mode == :human && Progress.receiver(label)]
end
