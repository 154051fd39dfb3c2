defmodule HfHub.Canary do
  # The suite's tokens begin with a word that must turn up nowhere: not in a line of log, a crash
  # report, an error, or a file that is no token file. This watches all of it while the suite
  # runs; a test during which the word is seen fails.
  @moduledoc false

  @word "hf_CANARY"
  # What a test plants to see that the watch is awake.
  @planted "hf_PLANTED"

  # Where tokens belong, and what tests write themselves.
  @allowed ~w(token stored_tokens *.exs proxy.conf)

  @table __MODULE__

  def word, do: @word
  def planted, do: @planted

  @doc "Begins to watch logs and errors."
  def start do
    parent = self()
    # The owner of the table, which also gets what is traced, outlives the process that starts it.
    watcher = spawn(fn -> watch(parent) end)

    receive do
      {^watcher, :ready} -> :ok
    end

    :ok = :logger.add_handler(__MODULE__, __MODULE__, %{level: :all})
  end

  defp watch(parent) do
    :ets.new(@table, [:named_table, :public, :bag])
    spec = [{:_, [], [{:return_trace}]}]
    # Every error there is comes out of one of these.
    for call <- [{HfHub.Error, :new, 3}, {HfHub.Error, :from_native, 1}, {HfHub.Error, :message, 1}] do
      {:module, _} = Code.ensure_loaded(elem(call, 0))
      1 = :erlang.trace_pattern(call, spec, [:local])
    end

    :erlang.trace(:all, true, [:call])
    send(parent, {self(), :ready})
    traced()
  end

  defp traced do
    receive do
      {:trace, _pid, :return_from, call, value} -> look(value, {:error, call})
      _call -> :ok
    end

    traced()
  end

  @doc false
  # The callback of a handler of `:logger`.
  def log(event, _config), do: look(event, {:log, event.level})

  defp look(term, place) do
    text = inspect(term, limit: :infinity, printable_limit: :infinity, structs: false)

    for word <- [@word, @planted], text =~ word do
      :ets.insert(@table, {word, place, String.slice(text, 0, 500)})
    end

    :ok
  end

  @doc "Where a word was seen in logs and errors so far."
  def seen(word \\ @word), do: :ets.lookup(@table, word)

  @doc "The files below a folder that hold a word and should not."
  def files(folder, word \\ @word) do
    excluded = for name <- @allowed, do: "--exclude=#{name}"
    # Links lead to what is looked at anyway, or to nowhere.
    {output, _status} = System.cmd("grep", ["-rlaF", word, folder] ++ excluded, stderr_to_stdout: true)
    for line <- String.split(output, "\n", trim: true), not (line =~ ~r/^grep: /), do: line
  end

  @doc "Raises where the word was seen in logs, errors, or files of this folder."
  def check!(folder) do
    case {seen(), files(folder)} do
      {[], []} ->
        :ok

      {seen, files} ->
        # Told once; the tests that follow are not to blame.
        :ets.delete(@table, @word)
        raise "a token is where none belongs: #{inspect(seen, pretty: true)} #{inspect(files)}"
    end
  end
end
