defmodule HfHub.Canary do
  # The suite's tokens begin with a word that must not appear in a log line, a crash report,
  # an error, or a file that is not a token file. This module watches all of these while the
  # suite runs; a test during which the word appears fails.
  @moduledoc false

  @word "hf_CANARY"
  # The word that a test of the canary uses.
  @planted "hf_PLANTED"

  # Files that contain tokens, and those that tests write.
  @allowed ~w(token stored_tokens *.exs proxy.conf)

  @table __MODULE__

  def word, do: @word
  def planted, do: @planted

  @doc "Starts to watch logs and errors."
  def start do
    parent = self()
    # The owner of the table, which also receives traces, outlives the process that starts it.
    watcher = spawn(fn -> watch(parent) end)

    receive do
      {^watcher, :ready} -> :ok
    end

    :ok = :logger.add_handler(__MODULE__, __MODULE__, %{level: :all})
  end

  defp watch(parent) do
    :ets.new(@table, [:named_table, :public, :bag])
    spec = [{:_, [], [{:return_trace}]}]
    # All errors are created by one of these.
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

    for word <- [@word, @planted], [before, found] <- [String.split(text, word, parts: 2)] do
      around = String.slice(before, -250, 250) <> word <> String.slice(found, 0, 250)
      :ets.insert(@table, {word, place, around})
    end

    :ok
  end

  @doc "Returns the logs and errors in which a word has appeared."
  def seen(word \\ @word), do: :ets.lookup(@table, word)

  @doc "Returns the files below a folder that must not contain a word but do."
  def files(folder, word \\ @word) do
    # Most tests write none: a process for each of them would take longer than some.
    if File.ls(folder) == {:ok, []}, do: [], else: found(folder, word)
  end

  defp found(folder, word) do
    excluded = for name <- @allowed, do: "--exclude=#{name}"
    # Links point to files that are checked anyway, or are broken.
    {output, _status} = System.cmd("grep", ["-rlaF", word, folder] ++ excluded, stderr_to_stdout: true)
    for line <- String.split(output, "\n", trim: true), not (line =~ ~r{^(/\S*/)?grep: }), do: line
  end

  @doc "Raises if the word has appeared in logs, errors, or files of this folder."
  def check!(folder) do
    case {seen(), files(folder)} do
      {[], []} ->
        :ok

      {seen, files} ->
        # Reported once, because later tests are not the cause.
        :ets.delete(@table, @word)
        raise "a token was leaked: #{inspect(seen, pretty: true)} #{inspect(files)}"
    end
  end
end
