defmodule HfHub.Cards.DatasetCard do
  @moduledoc """
  The card of a dataset: the README of its repository. Python: `DatasetCard`.

    * `:data` - the metadata, a `HfHub.Cards.DatasetCardData`
    * `:content` - the text below it

  Change either, and `HfHub.Cards.render/1` makes a README of it that is else as it was.
  """

  alias HfHub.Brief
  alias HfHub.Cards.DatasetCardData

  # `front` is the metadata as its author wrote it; `order` how a caller named it.
  @type t :: %__MODULE__{
          data: DatasetCardData.t(),
          content: String.t(),
          front: map() | nil,
          order: [String.t()]
        }

  defstruct [:data, :front, content: "", order: []]

  defimpl Inspect do
    def inspect(card, _opts), do: Brief.line(card, [card.data.license, {byte_size(card.content), "bytes"}])
  end
end
