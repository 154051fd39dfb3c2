defmodule HfHub.Cards.SpaceCard do
  @moduledoc """
  The card of a Space: the README of its repository. Python: `SpaceCard`.

  `HfHub.Cards.render/1` returns the README with changes to the data or the content, and the rest unchanged.
  """

  alias HfHub.Brief
  alias HfHub.Cards.SpaceCardData

  use HfHub.Cards.Fields, data: SpaceCardData

  defimpl Inspect do
    def inspect(card, _opts),
      do: Brief.line(card, [card.data.title, card.data.sdk, {byte_size(card.content), "bytes"}])
  end
end
