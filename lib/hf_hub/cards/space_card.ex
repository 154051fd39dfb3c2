defmodule HfHub.Cards.SpaceCard do
  @moduledoc """
  The card of a Space: the README of its repository. Python: `SpaceCard`.

  `HfHub.Cards.render/1` returns the README with changes to the data or the content, and the rest unchanged.
  """

  alias HfHub.Brief
  alias HfHub.Cards.SpaceCardData

  use HfHub.Schema,
    data: {SpaceCardData, "metadata"},
    content: {:string, "text below the metadata, without surrounding whitespace", default: ""},
    text:
      {:string,
       "text below the metadata, byte for byte; `HfHub.Cards.render/1` writes a `:content` that was changed in its place",
       default: ""},
    front: {{:or, [:map, nil]}, "source text of the metadata, whose formatting `HfHub.Cards.render/1` keeps"},
    order: {[:string], "names of the metadata in the order of the caller", default: []}

  defimpl Inspect do
    def inspect(card, _opts),
      do: Brief.line(card, [card.data.title, card.data.sdk, {byte_size(card.content), "bytes"}])
  end
end
