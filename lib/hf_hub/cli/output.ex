defmodule HfHub.CLI.Output do
  # Prints what a command returns: results to stdout, in the format that the flags choose, all else to stderr.
  @moduledoc false

  alias HfHub.CLI.{Json, Table}
  alias HfHub.Config.Source
  alias HfHub.Error

  @type mode :: :human | :agent | :json | :quiet
  @type t :: %__MODULE__{mode: mode(), no_truncate: boolean()}

  @typedoc """
  What a command returns.

    * `{:table, rows, opts}` - rows as lists of `{column, value}`. `:id` is the column that `--quiet` prints,
      `:right` are columns that are aligned right besides those of numbers, `:columns` are those for people,
      if JSON has more, `:footer` is a line below
    * `{:record, data, opts}` - one object. `:id` is the key that `--quiet` prints, `:whole` keeps entries without a value
    * `{:done, message, facts}` - the result of an action, with facts as a keyword list
    * `{:text, text}` - text for people, which `--json` and `--quiet` do not print
    * `{:raw, text}` - text that is the result in every format
    * `{:lines, enumerable}` - lines that are printed as they come
    * `{:bytes, enumerable}` - bytes that are written as they come, in every format
    * `{:own, value, words}` - a value as JSON, or the lines that the function makes of it
    * `{:note, text}` - a line on stderr, except with `--quiet`
    * `{:warning, text}` - a warning on stderr
    * `{:error, error}` - the exit status is 1
    * `{:usage, text}` - the exit status is 2
    * `{:exit, status, shown}` - anything of the above, with another exit status
    * a list of them; the status is that of the last one
  """
  @type shown :: :ok | tuple() | [shown()]

  defstruct mode: :human, no_truncate: false

  @doc "Returns the output that flags choose."
  @spec new(map()) :: {:ok, t()} | {:usage, String.t()}
  def new(flags) do
    chosen = for {flag, mode} <- [json: :json, quiet: :quiet], flags[flag], do: mode

    case {chosen, Map.get(flags, :format)} do
      {[], none} when none in [nil, "auto", "human"] -> output(:human, flags)
      {[], "agent"} -> output(:agent, flags)
      {[], "json"} -> output(:json, flags)
      {[], "quiet"} -> output(:quiet, flags)
      {[mode], nil} -> output(mode, flags)
      # The cache task of earlier versions takes both.
      {_both, nil} -> output(:json, flags)
      {_mode, _format} -> {:usage, "--json, --quiet and --format are mutually exclusive"}
    end
  end

  defp output(mode, flags), do: {:ok, %__MODULE__{mode: mode, no_truncate: flags[:no_truncate] || false}}

  @doc "Prints what a command returned, and returns the exit status."
  @spec show(shown(), t()) :: non_neg_integer()
  def show(:ok, _output), do: 0

  def show(list, output) when is_list(list),
    do: Enum.reduce(list, 0, fn each, _status -> show(each, output) end)

  def show({:exit, status, shown}, output) do
    show(shown, output)
    status
  end

  def show({:table, [], _opts}, %{mode: :json}), do: out("[]")
  def show({:table, [], _opts}, %{mode: :quiet}), do: 0
  def show({:table, [], _opts}, _output), do: out("No results found.")
  def show({:table, rows, _opts}, %{mode: :json}), do: out(Json.encode(Enum.map(rows, &Map.new/1)))

  def show({:table, rows, opts}, %{mode: :quiet}) do
    id = opts[:id] || rows |> hd() |> hd() |> elem(0)
    for row <- rows, do: row |> List.keyfind(id, 0, {id, ""}) |> elem(1) |> Table.cell() |> out()
    0
  end

  def show({:table, rows, opts}, %{mode: :agent}), do: rows |> columns(opts) |> Table.tabbed() |> out()

  def show({:table, rows, opts}, output) do
    columns = if output.no_truncate, do: :infinity, else: columns()
    {text, cut?} = rows |> columns(opts) |> Table.padded(columns, opts[:right] || [])
    out(text)
    if opts[:footer], do: out(opts[:footer])
    if cut?, do: note("Hint: use --no-truncate or --json to see the values in full")
    0
  end

  def show({:record, data, opts}, %{mode: :quiet} = output) do
    case opts[:id] && Map.get(Json.given(data), opts[:id]) do
      nil -> show({:record, data, Keyword.delete(opts, :id)}, %{output | mode: :json})
      id -> out(Table.cell(id))
    end
  end

  def show({:record, data, opts}, %{mode: :human}), do: data |> object(opts) |> Json.pretty() |> out()
  def show({:record, data, opts}, _output), do: data |> object(opts) |> Json.encode() |> out()

  def show({:done, _message, facts}, %{mode: :json}), do: out(Json.encode(Map.new(facts)))
  def show({:done, message, facts}, output), do: facts |> given() |> done(message, output.mode) |> out()

  def show({:text, _text}, %{mode: mode}) when mode in [:json, :quiet], do: 0
  def show({:text, text}, _output), do: out(text)
  def show({:raw, text}, _output), do: out(text)

  def show({:lines, lines}, _output) do
    Enum.each(lines, &IO.puts(log_line(&1)))
    0
  end

  def show({:bytes, pieces}, _output) do
    as_bytes(fn -> Enum.each(pieces, &write/1) end)
    0
  end

  def show({:own, value, _words}, %{mode: :json}), do: out(Json.encode(value))
  def show({:own, value, words}, _output), do: value |> words.() |> List.wrap() |> Enum.join("\n") |> out()
  def show({:note, _text}, %{mode: :quiet}), do: 0
  def show({:note, text}, _output), do: note(text)
  def show({:warning, text}, _output), do: note(["Warning: ", Table.line(text)])

  def show({:error, %Error{} = error}, output) do
    message = Exception.message(error)
    if output.mode == :json, do: out(Json.encode(%{error: error.kind, message: message}))
    note(["Error: ", message])
    1
  end

  def show({:error, text}, _output) when is_binary(text) do
    note(["Error: ", text])
    1
  end

  def show({:usage, text}, _output) do
    note(["Error: ", text])
    2
  end

  defp object(data, opts), do: if(opts[:whole], do: Json.plain(data), else: Json.given(data))

  defp columns(rows, opts) do
    if names = opts[:columns],
      do: for(row <- rows, do: for(name <- names, do: List.keyfind(row, name, 0, {name, nil}))),
      else: rows
  end

  defp given(facts), do: for({_name, value} = fact when value != nil <- facts, do: fact)

  defp done([], _message, :quiet), do: ""
  defp done([{_name, value} | _more], _message, :quiet), do: Table.cell(value)
  defp done([], message, :agent), do: message

  defp done(facts, _message, :agent),
    do: Enum.map_join(facts, " ", fn {name, value} -> "#{name}=#{Table.cell(value)}" end)

  defp done(facts, message, :human) do
    lines = for {name, value} <- facts, do: "  #{name}: #{Table.cell(value)}"
    Enum.join([green("✓ #{message}") | lines], "\n")
  end

  # `elixir` and `mix` enable colors if stdout is a terminal.
  defp green(text), do: if(IO.ANSI.enabled?(), do: "\e[32m#{text}\e[0m", else: text)

  defp columns do
    case :io.columns() do
      {:ok, columns} -> columns
      {:error, _no_terminal} -> 80
    end
  end

  defp out(""), do: 0

  defp out(text) do
    IO.puts(text)
    0
  end

  # An error ends the stream, and with it the transfer.
  defp write(bytes) do
    case IO.binwrite(bytes) do
      :ok -> :ok
      {:error, :terminated} -> :erlang.error(:terminated)
      {:error, reason} -> raise Error.new(:io, "cannot write to stdout: #{inspect(reason)}")
    end
  end

  @doc "Shows that stdout takes no more, and returns the exit status."
  @spec refused() :: 1
  def refused do
    # A pipe takes no more when its reader wants no more, as `head`.
    unless match?({:ok, %{type: :other}}, File.stat("/dev/stdout")),
      do: note("Error: cannot write to stdout: it is closed, or its disk is full")

    1
  end

  @doc "Raises if a write to stdout has failed, which only the next one shows, or stdout is closed."
  @spec written() :: :ok
  def written do
    # The VM opens /dev/null in its place, and only the launcher sees it.
    if Source.env("HF_HUB_CLOSED_STDOUT"), do: :erlang.error(:terminated)

    with {:links, links} <- Process.info(Process.group_leader(), :links),
         do: for(port <- links, is_port(port), do: drain(port))

    IO.write("")
  end

  # Another thread writes what is in the queue.
  defp drain(port) do
    with {:queue_size, size} when size > 0 <- Port.info(port, :queue_size) do
      Process.sleep(5)
      drain(port)
    end
  end

  @doc "Calls a function that reads or writes bytes: stdin and stdout encode characters, unless these are Latin-1."
  @spec as_bytes((() -> result)) :: result when result: term()
  def as_bytes(work) do
    device = Process.group_leader()
    encoding = with opts when is_list(opts) <- :io.getopts(device), do: opts[:encoding], else: (_error -> nil)
    :io.setopts(device, encoding: :latin1)

    try do
      work.()
    after
      if encoding, do: :io.setopts(device, encoding: encoding)
    end
  end

  @doc "Prints a line to stderr."
  @spec note(iodata()) :: 0
  def note(text) do
    IO.puts(:stderr, text)
    0
  end

  @doc "Returns a line of a log without control characters, with its spaces."
  @spec log_line(String.t()) :: String.t()
  def log_line(text),
    do: text |> String.trim_trailing() |> String.replace("\t", "        ") |> HfHub.Cache.Table.printable()

  @doc """
  Asks for a confirmation at the terminal; a format for programs and a missing terminal require the flag, `--yes`, instead.
  """
  @spec confirm(HfHub.CLI.Call.t(), String.t(), atom()) :: :ok | {:error, Error.t()}
  def confirm(call, question, flag \\ :yes) do
    cond do
      call.flags[flag] -> :ok
      call.output.mode == :human -> ask(question, flag)
      true -> {:error, Error.new(:cancelled, "#{question} Pass --#{flag} to skip the confirmation")}
    end
  end

  # The question goes to stderr, since the result on stdout may be piped.
  defp ask(question, flag) do
    IO.write(:stderr, "#{question} [y/N]: ")

    case IO.gets("") do
      text when is_binary(text) ->
        confirmed(String.downcase(String.trim(text)))

      _end_of_input ->
        {:error, Error.new(:cancelled, "nothing was changed; pass --#{flag} without a terminal")}
    end
  end

  defp confirmed(text) when text in ["y", "yes"], do: :ok
  defp confirmed(_other), do: {:error, Error.new(:cancelled, "nothing was changed")}
end
