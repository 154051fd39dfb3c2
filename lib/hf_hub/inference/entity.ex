defmodule HfHub.Inference.Entity do
  @moduledoc """
  A labelled part of a text. Python: `TokenClassificationOutputElement`.
  """

  use HfHub.Schema,
    word: {"word", :name, "labelled part"},
    entity: {"entity", :string, "label of a single token"},
    entity_group: {"entity_group", :string, "label of several tokens that belong together"},
    score: {"score", :number, "probability"},
    start: {"start", :integer, "first character in the text"},
    end: {"end", :integer, "last character in the text"}
end
