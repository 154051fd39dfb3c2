defmodule HfHub.Inference.FilledMask do
  @moduledoc """
  A word for the mask of a sentence. Python: `FillMaskOutputElement`.
  """

  use HfHub.Schema,
    sequence: {"sequence", :name, "sentence with the word"},
    score: {"score", :number, "probability"},
    token: {"token", :integer, "id of the token"},
    token_str: {"token_str", :any, "word"}
end
