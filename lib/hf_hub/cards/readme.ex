defmodule HfHub.Cards.Readme do
  # Converts between the text of a README and a card.
  @moduledoc false

  alias HfHub.{Download, Error, Native}
  alias HfHub.Cards.{Data, DatasetCard, DatasetCardData, ModelCard, ModelCardData, SpaceCard, SpaceCardData}

  @type card :: HfHub.Cards.card()

  @data %{ModelCard => ModelCardData, DatasetCard => DatasetCardData, SpaceCard => SpaceCardData}
  @types %{ModelCard => :model, DatasetCard => :dataset, SpaceCard => :space}

  @doc "Returns the type of repository that a card, or a text, is for."
  @spec repo_type(card() | String.t()) :: :model | :dataset | :space
  def repo_type(%module{}), do: Map.fetch!(@types, module)
  def repo_type(_text), do: :model

  @doc "Returns the module of the cards of a type of repository."
  @spec module(:model | :dataset | :space) :: module()
  def module(repo_type),
    do: Enum.find_value(@types, fn {module, type} -> if type == repo_type, do: module end)

  @doc "Downloads and parses the card of a repository."
  @spec load(module(), HfHub.repo(), keyword()) :: {:ok, card()} | {:error, Error.t()}
  def load(module, repo_id, opts) do
    opts = Keyword.merge([repo_type: @types[module]], opts)

    with {:ok, path} <-
           Download.hf_hub_download(Keyword.merge(opts, repo_id: repo_id, filename: "README.md")),
         {:ok, text} <- file(path),
         do: parse(text, module)
  end

  @doc "Returns the bytes of a local file."
  @spec file(Path.t()) :: {:ok, binary()} | {:error, Error.t()}
  def file(path) do
    with {:error, reason} <- File.read(path),
         do: {:error, Error.new(:io, "cannot read `#{path}`", reason: "#{:file.format_error(reason)}")}
  end

  @doc "Parses a README into a card."
  @spec parse(term(), module()) :: {:ok, card()} | {:error, Error.t()}
  def parse(text, module) do
    with {:ok, card} <- read(text) do
      {:ok,
       struct!(module,
         data: Data.from_map(card.data, @data[module]),
         content: String.trim(card.body),
         text: card.body,
         front: Map.take(card, [:head, :yaml, :tail]),
         order: card.order
       )}
    end
  end

  @doc "Returns the parts of a README."
  @spec read(term()) :: {:ok, map()} | {:error, Error.t()}
  def read(text) do
    if is_binary(text) and String.valid?(text) do
      with {:ok, card} <- Native.run(:parse_card, text), do: {:ok, without_empty_metadata(card)}
    else
      {:error, Error.new(:invalid_card, "the card is not valid UTF-8")}
    end
  end

  # For the engine, as for the Python client, empty metadata is part of the text. New metadata would be put above it.
  defp without_empty_metadata(%{tail: ""} = card) do
    case Regex.run(~r/\A(---\r?\n)(---(?:\r?\n|\z))(.*)\z/s, card.body) do
      [_all, first, second, body] -> %{card | head: card.head <> first, tail: second, body: body}
      nil -> card
    end
  end

  defp without_empty_metadata(card), do: card

  @doc "Returns a card of a caller's metadata and text."
  @spec create(module(), map() | keyword(), String.t()) :: card()
  # The metadata of another card.
  def create(module, %_data{} = given, text), do: create(module, Map.from_struct(given), text)

  def create(module, given, text) do
    data = Data.create(given, @data[module])
    struct!(module, data: data, content: String.trim(text), text: text, order: names(given))
  end

  defp names(data), do: for({name, _value} <- data, do: to_string(name))

  @doc "Returns the text of a card."
  @spec render(card()) :: String.t()
  def render(card) do
    front = card.front || %{head: "", yaml: "", tail: ""}

    case {pairs(card), front} do
      {[], %{tail: ""}} ->
        front.head <> text(card)

      {pairs, %{tail: ""}} ->
        front.head <> "---\n" <> yaml(pairs, "") <> "\n---\n" <> text(card)

      {[], %{tail: "---" <> _end}} ->
        front.head <> above(front.tail, text(card))

      {pairs, %{tail: "---" <> _end}} ->
        front.head <> yaml(pairs, "") <> "\n" <> above(front.tail, text(card))

      {pairs, front} ->
        front.head <> yaml(pairs, front.yaml) <> above(front.tail, text(card))
    end
  end

  # The README may have ended with its metadata.
  defp above(tail, text),
    do: if(text == "" or String.ends_with?(tail, "\n"), do: tail <> text, else: tail <> "\n" <> text)

  @doc "Returns the metadata of a card as pairs of names and values, in the order of the text."
  @spec pairs(card()) :: [{String.t(), term()}]
  def pairs(card),
    do: card.data |> Data.to_pairs() |> Enum.sort_by(fn {name, _value} -> place(name, card.order) end)

  defp place(name, order), do: Enum.find_index(order, &(&1 == name)) || length(order)

  # Changed content is surrounded by the same whitespace as before, unless it has its own.
  defp text(%{content: content, text: text}) do
    cond do
      content == String.trim(text) -> text
      String.trim(content) == "" -> content
      true -> missing(before(text), before(content)) <> content <> missing(behind(text), behind(content))
    end
  end

  defp missing(whitespace, own), do: if(own == "", do: whitespace, else: "")

  defp before(text), do: String.replace_suffix(text, String.trim_leading(text), "")

  defp behind(text) do
    text = String.trim_leading(text)
    String.replace_prefix(text, String.trim_trailing(text), "")
  end

  @doc "Returns metadata as YAML: with the formatting of its source, if it has one."
  @spec yaml([{String.t(), term()}], String.t()) :: String.t()
  def yaml(pairs, source \\ "") do
    data = if pairs == [], do: %{}, else: pairs
    Error.unwrap!(Native.run(:render_card, %{data: data, source: source}))
  rescue
    _error in [ArgumentError, ErlangError] ->
      raise ArgumentError, "invalid card metadata: a value cannot be represented in YAML"
  end
end
