defmodule HfHub.CLI.Task do
  # Makes a Mix task of a noun: `use HfHub.CLI.Task, noun: HfHub.CLI.Download`.
  @moduledoc false

  alias HfHub.CLI
  alias HfHub.CLI.{Help, Noun}

  defmacro __using__(noun: noun) do
    noun = Macro.expand(noun, __CALLER__)
    Code.ensure_compiled!(noun)

    quote do
      @shortdoc unquote(noun.noun()[:summary])
      @moduledoc unquote(Help.markdown(noun, program(noun)))
      use Mix.Task

      @impl true
      def run(args), do: HfHub.CLI.Task.run(unquote(noun), args)
    end
  end

  @doc "Runs a command of a noun, and exits with its status unless that is 0."
  @spec run(module(), [String.t()]) :: :ok
  def run(noun, args) do
    # Compiles, and evaluates config/runtime.exs, which may set the cache folder.
    if Mix.Project.get(), do: Mix.Task.run("app.config")
    {:ok, _started} = Application.ensure_all_started(:hf_hub)
    CLI.logs_to_stderr()
    status = CLI.run_noun(noun, args, program(noun))
    if status != 0, do: exit({:shutdown, status})
    :ok
  end

  defp program(noun), do: "mix hf_hub.#{Noun.name(noun)}"
end
