defmodule HfHub.CLI.Command do
  # One row of the table of commands. Parsing, help, completion, the Mix tasks and the guide are made of it.
  #
  #   * `:words` - the words that name the command below its noun; none for a noun that is a command, such as `download`
  #   * `:aliases` - other words for the last word
  #   * `:summary` - what the command does, in one sentence that begins with a verb
  #   * `:hf` - the words of the same command of the Python client's `hf`, if it has one
  #   * `:args` - positional arguments in their order, as `name: rule`. A rule has `:doc`, and `:required` (`true` unless
  #     set), `:type` (`:string`, `:integer` or `{:list, type}` for the last one), `:complete` (`:file`)
  #   * `:flags` - as `name: rule`. A rule has `:type` (`:string`, `:boolean`, `:integer`, `:float`, `:path`, `{:in, texts}`
  #     or `{:list, type}` for a flag that may be repeated), `:doc`, `:short`, `:names` (the spellings, without dashes),
  #     `:default`, `:required`, `:negatable` (whether `--no-…` exists), `:secret` (a value that is never shown)
  #   * `:hub` - whether the command calls a Hub, and so takes `--token` and `--endpoint`
  #   * `:own_json` - whether the command has only `--json` and `--quiet` of the flags that choose a format
  #   * `:rest` - whether everything after the first argument of type `{:list, _}` belongs to it, flags included
  #   * `:examples` - arguments of examples
  #   * `:details` - a paragraph about the command
  #   * `:run` - the function, which gets a `HfHub.CLI.Call` and returns a `t:HfHub.CLI.Output.shown/0`
  @moduledoc false

  alias HfHub.CLI.{Call, Flags, Output}

  @enforce_keys [:words, :summary, :run]
  defstruct [
    :words,
    :summary,
    :run,
    :noun,
    :hf,
    :details,
    aliases: [],
    args: [],
    flags: [],
    hub: true,
    own_json: false,
    rest: false,
    examples: []
  ]

  @type rules :: [{atom(), keyword()}]
  @type t :: %__MODULE__{
          words: [String.t()],
          summary: String.t(),
          run: (Call.t() -> Output.shown()),
          noun: String.t() | nil,
          hf: String.t() | nil,
          details: String.t() | nil,
          aliases: [String.t()],
          args: rules(),
          flags: rules(),
          hub: boolean(),
          own_json: boolean(),
          rest: boolean(),
          examples: [String.t()]
        }

  @doc "Returns all flags of a command: its own, and those that commands have in common."
  @spec flags(t()) :: rules()
  def flags(command) do
    hub = if command.hub, do: Flags.hub(), else: []
    letters = for {_name, rule} <- command.flags, letter = rule[:short], do: letter

    # A command may have its own meaning of -h, as listings of files do.
    shared =
      for {name, rule} <- hub ++ Flags.common(command.own_json), not Keyword.has_key?(command.flags, name) do
        {name, if(rule[:short] in letters, do: Keyword.delete(rule, :short), else: rule)}
      end

    command.flags ++ shared
  end

  @doc "Returns the spellings of a flag, without dashes; the first is the one in the help."
  @spec spellings({atom(), keyword()}) :: [String.t()]
  def spellings({name, rule}), do: rule[:names] || [name |> Atom.to_string() |> String.replace("_", "-")]

  @doc "Returns whether an argument is required."
  @spec required?(keyword()) :: boolean()
  def required?(rule), do: Keyword.get(rule, :required, true)

  @doc "Returns an argument as the usage line shows it."
  @spec placeholder({atom(), keyword()}) :: String.t()
  def placeholder({name, rule}) do
    text = name |> Atom.to_string() |> String.upcase()
    text = if required?(rule), do: text, else: "[#{text}]"
    if match?({:list, _type}, rule[:type]), do: text <> "...", else: text
  end

  @doc "Returns the full name of a command, as the launcher takes it."
  @spec name(t()) :: String.t()
  def name(command), do: Enum.join([command.noun | command.words], " ")
end
