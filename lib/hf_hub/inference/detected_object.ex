defmodule HfHub.Inference.DetectedObject do
  @moduledoc """
  An object in an image. Python: `ObjectDetectionOutputElement`.
  """

  alias HfHub.Inference.BoundingBox

  use HfHub.Schema,
    label: {"label", :name, "label of the object"},
    score: {"score", :number, "probability"},
    box: {"box", BoundingBox, "place in the image"}
end
