defmodule HfHub.Inference.Segment do
  @moduledoc """
  A part of an image. Python: `ImageSegmentationOutputElement`.
  """

  alias HfHub.Inference.{Content, Media}

  use HfHub.Schema,
    label: {"label", :name, "label of the part"},
    mask: {"mask", Media, "image that is white where the part is", by: :mask},
    score: {"score", :number, "probability"}

  defp mask(text), do: Content.media(text, "image/png")
end
