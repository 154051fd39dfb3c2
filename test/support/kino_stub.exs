# The functions of Kino that this library calls, with their documented contracts. Frames keep what was rendered; a
# listener is a process, which `KinoStub.event/2` sends events to, as a click would.
defmodule KinoStub do
  def start, do: Agent.start_link(fn -> %{} end, name: __MODULE__)
  def listening(ref, pid), do: Agent.update(__MODULE__, &Map.put(&1, ref, pid))
  def listener(control), do: Agent.get(__MODULE__, & &1[control.ref])
  def event(control, event), do: send(listener(control), {:event, Map.put(event, :origin, "client")})

  # The contents of a frame, the newest first.
  def contents(frame), do: Agent.get(frame.pid, & &1)
end

defprotocol Kino.Render do
  @fallback_to_any true
  def to_livebook(value)
end

defimpl Kino.Render, for: Any do
  def to_livebook(term), do: {:output, term}
end

defmodule KinoStub.Make do
  def make(module, type, content, opts),
    do: struct!(module, ref: make_ref(), type: type, content: content, opts: opts)
end

defmodule Kino.Frame do
  defstruct [:ref, :pid]

  def new do
    {:ok, pid} = Agent.start(fn -> [] end)
    %__MODULE__{ref: make_ref(), pid: pid}
  end

  def render(%__MODULE__{pid: pid}, term, _opts \\ []), do: Agent.update(pid, &[term | &1])
end

defmodule Kino.DataTable do
  defstruct [:ref, :type, :content, :opts]

  # Rows are maps with the same atoms as keys.
  def new([], opts), do: KinoStub.Make.make(__MODULE__, :table, [], opts)

  def new([row | _rest] = rows, opts) when is_map(row) do
    unless Enum.all?(rows, &(Map.keys(&1) == Map.keys(row))),
      do: raise("map records must have the same columns")

    # Sent as JSON.
    for row <- rows, {_key, text} when is_binary(text) <- row, do: true = String.valid?(text)
    KinoStub.Make.make(__MODULE__, :table, rows, opts)
  end
end

defmodule Kino.Layout do
  defstruct [:ref, :type, :content, :opts]
  def grid(items, opts \\ []) when is_list(items), do: KinoStub.Make.make(__MODULE__, :grid, items, opts)
end

defmodule Kino.Text do
  defstruct [:ref, :type, :content, :opts]
  def new(text) when is_binary(text), do: KinoStub.Make.make(__MODULE__, :text, text, [])
end

for {module, family} <- [{Kino.Image, "image/"}, {Kino.Audio, "audio/"}, {Kino.Video, "video/"}] do
  defmodule module do
    defstruct [:ref, :type, :content, :opts]
    @family family

    def new(content, type) when is_binary(content) do
      unless String.starts_with?(type, @family), do: raise(ArgumentError, "unexpected media type #{type}")
      KinoStub.Make.make(__MODULE__, type, content, [])
    end
  end
end

defmodule Kino.Input do
  defstruct [:ref, :type, :content, :opts]

  def text(label, opts \\ []) do
    unless is_binary(opts[:default]), do: raise(ArgumentError, "expected :default to be a string")
    KinoStub.Make.make(__MODULE__, :text, label, opts)
  end

  def select(label, choices, opts \\ []) when is_list(choices) do
    unless opts[:default] in Keyword.keys(choices), do: raise(ArgumentError, "unknown default")
    KinoStub.Make.make(__MODULE__, :select, label, [choices: choices] ++ opts)
  end
end

defmodule Kino.Control do
  defstruct [:ref, :type, :content, :opts]
  def button(label) when is_binary(label), do: KinoStub.Make.make(__MODULE__, :button, label, [])

  def form([_ | _] = fields, opts) do
    for {name, %Kino.Input{}} when is_atom(name) <- fields, do: name
    unless opts[:submit], do: raise(ArgumentError, "expected either :submit or :report_changes")
    KinoStub.Make.make(__MODULE__, :form, fields, opts)
  end
end

defmodule Kino do
  # Shows a value in the cell of the calling process.
  def render(term) do
    if test = Process.whereis(:kino_cell), do: send(test, {:rendered, term})
    term
  end

  def listen(%Kino.Control{ref: ref}, fun) do
    pid = spawn(fn -> loop(fun) end)
    KinoStub.listening(ref, pid)
    :ok
  end

  # A function with a state.
  def listen(control, state, fun) when is_function(fun, 2) do
    {:ok, states} = Agent.start_link(fn -> state end)

    listen(control, fn event ->
      {:cont, state} = fun.(event, Agent.get(states, & &1))
      Agent.update(states, fn _before -> state end)
    end)
  end

  defp loop(fun) do
    receive do
      {:event, event} -> fun.(event)
    end

    loop(fun)
  end
end
