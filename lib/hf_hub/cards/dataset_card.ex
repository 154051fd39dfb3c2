defmodule HfHub.Cards.DatasetCard do
  @moduledoc """
  The card of a dataset: the README of its repository. Python: `DatasetCard`.

  `HfHub.Cards.render/1` returns the README with changes to the data or the content, and the rest unchanged.
  """

  alias HfHub.Brief
  alias HfHub.Cards.DatasetCardData

  use HfHub.Cards.Fields, data: DatasetCardData

  defimpl Inspect do
    def inspect(card, _opts), do: Brief.line(card, [card.data.license, {byte_size(card.content), "bytes"}])
  end
end
