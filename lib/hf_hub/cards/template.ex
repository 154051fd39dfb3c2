defmodule HfHub.Cards.Template do
  # Fills in the templates of cards: `{{ name }}`, `{{ name | default("text") }}` and `{{ name | default("text", true) }}`,
  # which Jinja has too, or EEx.
  @moduledoc false

  alias HfHub.Cards.{DatasetCard, ModelCard, Readme}
  alias HfHub.{Error, Options, RegularFile}

  @folder Path.join(__DIR__, "templates")
  @default for {module, name} <- [{ModelCard, "model_card.md"}, {DatasetCard, "dataset_card.md"}],
               path = Path.join(@folder, name),
               into: %{},
               do: {module, File.read!(path)}

  for name <- ["model_card.md", "dataset_card.md"], do: @external_resource(Path.join(@folder, name))

  @text ~S/"(?:[^"\\\n]|\\[nrt"'\\])*"|'(?:[^'\\\n]|\\[nrt"'\\])*'/
  @place ~r/\{\{\s*(\w+)\s*(?:\|\s*default\(\s*(#{@text})\s*(,\s*true\s*)?\)\s*)?\}\}/
  # The other beginnings of Jinja's expressions.
  @other ~r/\{[{%#]/

  @doc "Returns a card of metadata, with a text from a template."
  @spec create(module(), map() | keyword(), map() | keyword(), keyword()) ::
          {:ok, Readme.card()} | {:error, Error.t()}
  def create(module, data, values, opts) do
    card = Readme.create(module, data, "")
    values = named!(values)

    with {:ok, text} <- fill(template(opts), card, values),
         {:ok, filled} <- Readme.parse(text, module) do
      # A template without metadata.
      {:ok, if(filled.front.tail == "", do: %{card | content: filled.content, text: text}, else: filled)}
    end
  end

  defp template(opts) do
    case {opts[:template_path], opts[:template_str]} do
      {nil, nil} -> :default
      {nil, text} -> {:text, text, "the template"}
      {path, nil} -> {:path, Path.expand(path)}
      _both -> raise ArgumentError, "`:template_path` cannot be combined with `:template_str`"
    end
  end

  defp named!(values) when is_map(values) or is_list(values), do: Map.new(values)

  defp fill(:default, %module{} = card, values),
    do: substitute(@default[module], card, values, "the template")

  defp fill({:text, text, what}, card, values), do: substitute(text, card, values, what)

  defp fill({:path, path}, card, values) do
    with {:ok, text} <- read(path) do
      if Path.extname(path) == ".eex",
        do: {:ok, EEx.eval_string(text, [assigns: assigns(card, values)], file: path)},
        else: substitute(text, card, values, "`#{path}`")
    end
  end

  defp read(path) do
    with {:ok, bytes} <- Readme.file(path) do
      error = Error.new(:invalid_card, "the template `#{path}` is not valid UTF-8")
      with :error <- RegularFile.text(bytes), do: {:error, error}
    end
  end

  # The names of EEx are atoms, so other metadata of the card is in `@extra`.
  defp assigns(card, values),
    do: card.data |> Map.from_struct() |> Map.put(:card_data, yaml(card)) |> Map.merge(values)

  defp yaml(card), do: card |> Readme.pairs() |> Readme.yaml()

  defp substitute(text, card, values, what) do
    known = Map.new(Readme.pairs(card)) |> Map.put("card_data", yaml(card))
    known = Map.merge(known, Map.new(values, fn {name, value} -> {to_string(name), value} end))

    text
    |> String.split(@place, include_captures: true)
    |> Enum.map_reduce(1, fn part, line ->
      {part(part, known, line, what), line + length(:binary.matches(part, "\n"))}
    end)
    |> joined()
  end

  defp joined({parts, _lines}) do
    Enum.find(parts, {:ok, IO.iodata_to_binary(for part <- parts, is_binary(part), do: part)}, &is_tuple/1)
  end

  defp part(part, known, line, what) do
    case {Regex.run(@place, part), Regex.run(@other, part, return: :index)} do
      {[_all, name | default], _other} -> value(known[name], default, name)
      {nil, nil} -> part
      {nil, [{at, _length}]} -> unsupported(part, at, line, what)
    end
  end

  defp unsupported(part, at, line, what) do
    line = line + length(:binary.matches(binary_part(part, 0, at), "\n"))
    shown = part |> binary_part(at, byte_size(part) - at) |> String.split("\n") |> hd() |> String.slice(0, 40)

    message =
      "cannot fill in #{what}: line #{line}: unsupported expression `#{shown}`; supported are `{{ name }}` and " <>
        "`{{ name | default(\"text\", true) }}`. A template file whose name ends in .eex may contain any code"

    {:error, Error.new(:invalid_card, message)}
  end

  # With `true`, the default also replaces what Jinja takes for false.
  defp value(nil, [], _name), do: ""
  defp value(nil, [default | _any], _name), do: literal(default)
  defp value(empty, [default, _any], _name) when empty in [false, "", [], 0], do: literal(default)
  defp value(value, _default, name), do: shown(value, name)

  defp literal(text), do: text |> String.slice(1..-2//1) |> Macro.unescape_string()

  defp shown(list, name) when is_list(list), do: Enum.map_join(list, ", ", &shown(&1, name))

  defp shown(value, _name) when is_binary(value) or is_atom(value) or is_number(value), do: to_string(value)
  defp shown(%Date{} = date, _name), do: Date.to_iso8601(date)

  defp shown(value, name) do
    raise ArgumentError,
          "expected the value of #{name} to be a string, a number or a list of them, got: #{Options.shown(value)}"
  end
end
