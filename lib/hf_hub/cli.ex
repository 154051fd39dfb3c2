defmodule HfHub.CLI do
  @moduledoc """
  The command line: what `mix hf_hub.download` and the other tasks do, for use without Mix.

  The commands are those of `hf`, the Python client's command line, as far as this library has the function.
  `bin/hf_hub` in the sources runs them in a shell, and a release can run them too:

      bin/my_app eval 'HfHub.CLI.main(["download", "openai-community/gpt2", "config.json"])'

  Results go to stdout; progress, warnings and errors to stderr. The exit status is 0 on success, 1 on errors and
  problems, 2 for invalid arguments.
  """

  alias HfHub.CLI.{Help, LogLine, Nearest, Noun, Output, Parser, Wording}
  alias HfHub.Config.Source
  alias HfHub.Error

  # In the order of the help. Each but the last, which is for the launcher, has a Mix task in `lib/mix/tasks`.
  @nouns [
    HfHub.CLI.Download,
    HfHub.CLI.Upload,
    HfHub.CLI.UploadLargeFolder,
    HfHub.CLI.Cp,
    HfHub.CLI.Sync,
    HfHub.CLI.Auth,
    HfHub.CLI.Repo,
    HfHub.CLI.Models,
    HfHub.CLI.Datasets,
    HfHub.CLI.Spaces,
    HfHub.CLI.Papers,
    HfHub.CLI.Discussions,
    HfHub.CLI.Collections,
    HfHub.CLI.Webhooks,
    HfHub.CLI.Buckets,
    HfHub.CLI.Jobs,
    HfHub.CLI.Endpoints,
    HfHub.CLI.Cache,
    HfHub.CLI.Lock,
    HfHub.CLI.Get,
    HfHub.CLI.Doctor,
    HfHub.CLI.Env,
    HfHub.CLI.Hub,
    HfHub.CLI.Completion
  ]

  @doc false
  @spec nouns() :: [module()]
  def nouns, do: @nouns

  @doc """
  Runs a command and stops the VM with its exit status.

  ## Examples

      HfHub.CLI.main(["cache", "ls"])
  """
  @spec main([String.t()]) :: no_return()
  def main(args) do
    {:ok, _started} = Application.ensure_all_started(:hf_hub)
    logs_to_stderr()
    args |> run() |> System.halt()
  end

  @doc false
  # Stdout is for results. A handler and a format that the application has configured otherwise stay.
  @spec logs_to_stderr() :: :ok
  def logs_to_stderr do
    case :logger.get_handler_config(:default) do
      {:ok, %{module: :logger_std_h, config: %{type: :standard_io}} = handler} ->
        :ok = :logger.remove_handler(:default)
        formatter = for format <- log_format(:default_formatter), do: {:formatter, formatter(format)}
        handler = Map.merge(%{handler | config: %{type: :standard_error}}, Map.new(formatter))
        :logger.add_handler(:default, :logger_std_h, handler)

      # Elixir 1.14 has a backend in its place.
      {:error, {:not_found, _id}} ->
        apply(Logger, :configure_backend, [:console, [device: :standard_error] ++ log_format(:console)])
        :ok

      _own ->
        :ok
    end
  end

  defp log_format(key) do
    if Source.log_format?(key), do: [], else: [format: {LogLine, :format}]
  end

  # Elixir 1.15 and newer.
  defp formatter(format), do: apply(Logger.Formatter, :new, [[format]])

  @doc """
  Runs a command and returns its exit status.

  ## Examples

      HfHub.CLI.run(["cache", "ls", "--json"])
      #=> 0
  """
  @spec run([String.t()]) :: non_neg_integer()
  def run(args), do: run(args, "hf_hub")

  defp run([], program), do: help(program, 2)
  defp run([help | _], program) when help in ["--help", "-h", "help"], do: help(program, 0)

  defp run([version | _], _program) when version in ["--version", "-v", "version"] do
    IO.puts(HfHub.version())
    0
  end

  defp run([name | args], program) do
    case Enum.find(nouns(), &(name in Noun.names(&1))) do
      nil -> unknown(name, program)
      noun -> run_noun(noun, args, "#{program} #{Noun.name(noun)}")
    end
  end

  defp help(program, status) do
    IO.puts(Help.all(nouns(), program))
    status
  end

  defp unknown(name, program) do
    nested =
      for noun <- nouns(),
          command <- Noun.commands(noun),
          name == List.last(command.words),
          do: "#{command.noun} #{name}"

    names = Enum.flat_map(nouns(), &Noun.names/1)

    hint =
      if nested == [], do: Nearest.hint(name, names), else: "; did you mean #{Enum.join(nested, " or ")}?"

    usage("unknown command #{HfHub.Options.shown(name)}#{hint}", program)
  end

  @doc false
  @spec run_noun(module(), [String.t()], String.t()) :: non_neg_integer()
  def run_noun(noun, args, program) do
    status =
      case Noun.find(noun, args) do
        {:ok, command, args} -> run_command(command, args, program)
        :error -> no_command(noun, args, program)
      end

    if status == 0, do: Output.written()
    status
  rescue
    # Stdout is closed, or its disk is full.
    error in [ErlangError] ->
      if error.original != :terminated, do: reraise(error, __STACKTRACE__)
      Output.refused()
  end

  defp no_command(noun, args, program) do
    help? = Enum.any?(args, &(&1 in ["--help", "-h"]))

    case Enum.reject(args, &String.starts_with?(&1, "-")) do
      words when words == [] or help? ->
        IO.puts(Help.noun(noun, program))
        if help?, do: 0, else: 2

      words ->
        known = for command <- Noun.commands(noun), do: Enum.join(command.words, " ")
        given = Enum.join(Enum.take(words, 2), " ")
        hint = nearest(given, hd(words), known)
        usage("unknown command #{HfHub.Options.shown(hd(words))}#{hint}", program)
    end
  end

  defp nearest(given, first, known) do
    case Nearest.hint(given, known) do
      "" -> Nearest.hint(first, known)
      hint -> hint
    end
  end

  defp run_command(command, args, program) do
    case Parser.parse(command, args) do
      {:ok, call} ->
        call |> attempt() |> show(call)

      :help ->
        IO.puts(Help.command(command, program))
        0

      {:usage, why} ->
        usage(why, Enum.join([program | command.words], " "))
    end
  end

  # Options that a function of the library rejects are invalid values of the user here.
  defp attempt(call) do
    with {:error, error} <- call.command.run.(call), do: {:error, Wording.of(error, call.command)}
  rescue
    error in [Error] -> {:error, Wording.of(error, call.command)}
    error in [ArgumentError] -> {:error, invalid(error, call)}
  end

  defp invalid(error, call), do: Wording.of("invalid value: " <> Exception.message(error), call.command)

  # A stream of lines raises while it is printed.
  defp show(shown, call) do
    Output.show(shown, call.output)
  rescue
    error in [Error] -> Output.show({:error, Wording.of(error, call.command)}, call.output)
  end

  defp usage(why, program), do: Output.show({:usage, "#{why}; see #{program} --help"}, %Output{})
end
