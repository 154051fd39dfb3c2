defmodule HfHub.Cards.ModelCard do
  @moduledoc """
  The card of a model: the README of its repository. Python: `ModelCard`.

    * `:data` - the metadata, a `HfHub.Cards.ModelCardData`
    * `:content` - the text below it

  Change either, and `HfHub.Cards.render/1` makes a README of it that is else as it was.
  """

  alias HfHub.Brief
  alias HfHub.Cards.ModelCardData

  # `front` is the metadata as its author wrote it; `order` how a caller named it.
  @type t :: %__MODULE__{
          data: ModelCardData.t(),
          content: String.t(),
          front: map() | nil,
          order: [String.t()]
        }

  defstruct [:data, :front, content: "", order: []]

  defimpl Inspect do
    def inspect(card, _opts), do: Brief.line(card, [card.data.license, {byte_size(card.content), "bytes"}])
  end
end
