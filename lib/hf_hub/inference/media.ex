defmodule HfHub.Inference.Media do
  @moduledoc """
  An image, a video or audio that a model made.

      {:ok, image} = HfHub.Inference.text_to_image(client, "an astronaut riding a horse")
      File.write!("astronaut.png", image.data)
  """

  use HfHub.Schema,
    data: {:binary, "bytes of the file", json: false},
    content_type:
      {{:or, [:string, nil]}, "media type, such as `\"image/png\"`; `nil` if the server sent none"}

  @doc """
  Returns the image as a `Kino.Image`, which Livebook shows. Requires the package `kino`.

  ## Examples

      HfHub.Inference.Media.to_kino(image)
  """
  @spec to_kino(t()) :: term()
  def to_kino(%__MODULE__{} = media),
    do: call(Kino.Image, :new, [media.data, media.content_type || "image/png"], "kino")

  @doc """
  Returns the image as a `Vix.Vips.Image`. Requires the package `vix`.

  ## Examples

      HfHub.Inference.Media.to_vix(image)
  """
  @spec to_vix(t()) :: term()
  def to_vix(%__MODULE__{data: data}) do
    {:ok, image} = call(Vix.Vips.Image, :new_from_buffer, [data], "vix")
    image
  end

  defp call(module, name, args, package) do
    if Code.ensure_loaded?(module),
      do: apply(module, name, args),
      else:
        raise(
          ArgumentError,
          "requires #{inspect(module)}; add {:#{package}, \">= 0.0.0\"} to the dependencies"
        )
  end

  defimpl Inspect do
    alias HfHub.Brief

    def inspect(media, _opts), do: Brief.line(media, [media.content_type, Brief.size(byte_size(media.data))])
  end
end
