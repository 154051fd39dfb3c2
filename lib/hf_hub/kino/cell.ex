defmodule HfHub.Kino.Cell do
  # The functions of Kino that this library calls. Kino is not a dependency: it is found at run time.
  @moduledoc false

  alias HfHub.Kino.View
  alias HfHub.Progress
  alias HfHub.Progress.Line

  # Number of characters of a bar.
  @bar 40

  @doc "Returns whether Kino is loaded."
  @spec loaded?() :: boolean()
  def loaded?, do: Code.ensure_loaded?(Kino.Frame) and function_exported?(Kino.Frame, :new, 0)

  @doc "Raises unless Kino is loaded."
  @spec check!() :: :ok
  def check! do
    if loaded?(),
      do: :ok,
      else:
        raise(
          ArgumentError,
          "Kino is not loaded; add {:kino, \"~> 0.14\"} to the dependencies of the notebook"
        )
  end

  @doc "Returns a table of rows, which are keyword lists."
  def table(name, rows) do
    # All rows of a table must have all of its columns.
    keys = rows |> Enum.flat_map(&Keyword.keys/1) |> Enum.uniq()
    rows = for row <- rows, do: Map.new(keys, &{&1, value(Keyword.get(row, &1, ""))})
    call(Kino.DataTable, :new, [rows, [name: name, keys: keys]])
  end

  # Kino sends tables as JSON, which has no other bytes than UTF-8: names in files may be any bytes, and of any length.
  defp value(text) when is_binary(text), do: View.brief(text)
  defp value(other), do: other

  def grid(items), do: call(Kino.Layout, :grid, [items])
  def text(text), do: call(Kino.Text, :new, [text])
  def frame, do: call(Kino.Frame, :new, [])
  def render(frame, content), do: call(Kino.Frame, :render, [frame, content])
  def show(content), do: call(Kino, :render, [content])
  def button(label), do: call(Kino.Control, :button, [label])
  def form(fields, label), do: call(Kino.Control, :form, [fields, [submit: label]])
  def input(label, default), do: call(Kino.Input, :text, [label, [default: default || ""]])
  def select(label, choices, default), do: call(Kino.Input, :select, [label, choices, [default: default]])

  @doc "Calls the function for each event of a control, in a process that ends with the cell."
  def listen(control, fun), do: call(Kino, :listen, [control, fun])

  @doc "Same as `listen/2`, but the function also gets what it returned for the event before, at first `nil`."
  def listen_with_state(control, fun),
    do: call(Kino, :listen, [control, nil, fn event, state -> {:cont, fun.(event, state)} end])

  @doc "Returns the output of a value for Livebook."
  def output(content), do: call(Kino.Render, :to_livebook, [content])

  @doc """
  Returns a progress bar and its line. It is text: HTML would be a new inline frame of the browser with each report, which
  flickers, and Kino would keep all of them until the cell is evaluated again.
  """
  @spec bar(Progress.t(), String.t()) :: struct()
  def bar(progress, label) do
    line = Line.text(progress, label, 120)
    text(if bar = Line.bar(progress, @bar), do: bar <> "\n" <> line, else: line)
  end

  # Not a direct call, of which the compiler would warn where Kino is not loaded.
  defp call(module, name, arguments), do: apply(module, name, arguments)
end
