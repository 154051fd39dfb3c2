defmodule HfHub.Cards.ModelCard do
  @moduledoc """
  The card of a model: the README of its repository. Python: `ModelCard`.

  `HfHub.Cards.render/1` returns the README with changes to the data or the content, and the rest unchanged.
  """

  alias HfHub.Brief
  alias HfHub.Cards.ModelCardData

  use HfHub.Cards.Fields, data: ModelCardData

  defimpl Inspect do
    def inspect(card, _opts), do: Brief.line(card, [card.data.license, {byte_size(card.content), "bytes"}])
  end
end
