defmodule HfHub.Inference.BoundingBox do
  @moduledoc """
  A rectangle in an image, in pixels from its upper left corner. Python: `ObjectDetectionBoundingBox`.
  """

  use HfHub.Schema,
    xmin: {"xmin", :number, "left edge"},
    ymin: {"ymin", :number, "upper edge"},
    xmax: {"xmax", :number, "right edge"},
    ymax: {"ymax", :number, "lower edge"}
end
