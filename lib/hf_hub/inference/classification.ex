defmodule HfHub.Inference.Classification do
  @moduledoc """
  A label with its probability.
  """

  use HfHub.Schema,
    label: {"label", :string, "label"},
    score: {"score", :number, "probability"}
end
