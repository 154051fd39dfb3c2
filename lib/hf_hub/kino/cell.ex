defmodule HfHub.Kino.Cell do
  # The functions of Kino that this library calls. Kino is not a dependency: it is found at run time.
  @moduledoc false

  alias HfHub.Progress
  alias HfHub.Progress.Line

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
    rows = for row <- rows, do: Map.new(keys, &{&1, Keyword.get(row, &1, "")})
    call(Kino.DataTable, :new, [rows, [name: name, keys: keys]])
  end

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

  @doc "Returns a progress bar with its line."
  @spec bar(Progress.t(), String.t()) :: struct()
  def bar(progress, label) do
    line = escaped(Line.text(progress, label, 120))

    bar =
      if is_integer(progress.bytes_total) and progress.bytes_total > 0,
        do:
          ~s(<progress style="width:100%" max="#{progress.bytes_total}" value="#{progress.bytes_done}"></progress>),
        else: ~s(<progress style="width:100%"></progress>)

    done? = progress.activity in [:done, :failed]

    call(Kino.HTML, :new, [
      ~s(<div>#{if done? and progress.bytes_total in [nil, 0], do: "", else: bar}<div>#{line}</div></div>)
    ])
  end

  # Names of files and repositories come from the network.
  defp escaped(text) do
    for <<char::utf8 <- text>>, into: "" do
      case char do
        ?< -> "&lt;"
        ?> -> "&gt;"
        ?& -> "&amp;"
        ?" -> "&quot;"
        ?' -> "&#39;"
        other -> <<other::utf8>>
      end
    end
  end

  # Not a direct call, of which the compiler would warn where Kino is not loaded.
  defp call(module, name, arguments), do: apply(module, name, arguments)
end
