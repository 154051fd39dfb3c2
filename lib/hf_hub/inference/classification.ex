defmodule HfHub.Inference.Classification do
  @moduledoc """
  A label with its probability.
  """

  use HfHub.Schema,
    label: {"label", :name, "label"},
    score: {"score", :number, "probability"}
end
