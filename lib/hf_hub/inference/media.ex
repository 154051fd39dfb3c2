defmodule HfHub.Inference.Media do
  @moduledoc """
  An image, a video or audio that a model made.

      {:ok, image} = HfHub.Inference.text_to_image(client, "an astronaut riding a horse")
      File.write!("astronaut.png", image.data)

  Conversions to other libraries need these as dependencies of your project.
  """

  alias HfHub.Error
  alias HfHub.Inference.Foreign

  use HfHub.Schema,
    data: {:binary, "bytes of the file", json: false},
    content_type:
      {{:or, [:string, nil]}, "media type, such as `\"image/png\"`; `nil` if the server sent none"}

  @doc """
  Returns what Livebook shows of the file: a `Kino.Image`, `Kino.Audio` or `Kino.Video`, by its media type. Requires the
  package `kino`.

  ## Examples

      HfHub.Inference.Media.to_kino(image)
  """
  @spec to_kino(t()) :: term()
  def to_kino(%__MODULE__{content_type: "audio/" <> _rest = type} = media),
    do: Foreign.call(Kino.Audio, :new, [media.data, type], "kino")

  def to_kino(%__MODULE__{content_type: "video/" <> _rest = type} = media),
    do: Foreign.call(Kino.Video, :new, [media.data, type], "kino")

  def to_kino(%__MODULE__{} = media),
    do: Foreign.call(Kino.Image, :new, [media.data, media.content_type || "image/png"], "kino")

  @doc """
  Returns the image as a `Vix.Vips.Image`, or raises `HfHub.Error` if it cannot be decoded. Requires the package `vix`.

  ## Examples

      HfHub.Inference.Media.to_vix(image)
  """
  @spec to_vix(t()) :: term()
  def to_vix(%__MODULE__{data: data}),
    do: unwrap!(Foreign.call(Vix.Vips.Image, :new_from_buffer, [data], "vix"))

  @doc """
  Returns the pixels of the image as an `Nx` tensor of height, width and bands, or raises `HfHub.Error` if it cannot be
  decoded. Requires the packages `nx` and `vix`.

  ## Examples

      HfHub.Inference.Media.to_nx(image)
  """
  @spec to_nx(t()) :: term()
  def to_nx(%__MODULE__{} = media) do
    image = to_vix(media)
    pixels = unwrap!(Foreign.call(Vix.Vips.Image, :write_to_tensor, [image], "vix"))
    flat = Foreign.call(Nx, :from_binary, [pixels.data, pixels.type], "nx")
    Foreign.call(Nx, :reshape, [flat, pixels.shape, [names: pixels.names]], "nx")
  end

  defp unwrap!({:ok, value}), do: value

  defp unwrap!({:error, reason}) do
    reason = if is_binary(reason), do: reason, else: inspect(reason, limit: 10)
    raise Error.new(:invalid_response, "the file is not an image that Vix can read", reason: reason)
  end

  defimpl Inspect do
    alias HfHub.Brief

    def inspect(media, _opts), do: Brief.line(media, [media.content_type, Brief.size(byte_size(media.data))])
  end
end
