defmodule HfHub.Cards.DatasetCard do
  @moduledoc """
  The card of a dataset: the README of its repository. Python: `DatasetCard`.

  Change the data or the content, and `HfHub.Cards.render/1` makes a README of it that is else as it was.
  """

  alias HfHub.Brief
  alias HfHub.Cards.DatasetCardData

  use HfHub.Schema,
    data: {DatasetCardData, "metadata"},
    content: {:string, "text below the metadata", default: ""},
    front: {{:or, [:map, nil]}, "metadata as its author wrote it; `HfHub.Cards.render/1` keeps its form"},
    order: {[:string], "names of the metadata in the order in which a caller gave them", default: []}

  defimpl Inspect do
    def inspect(card, _opts), do: Brief.line(card, [card.data.license, {byte_size(card.content), "bytes"}])
  end
end
