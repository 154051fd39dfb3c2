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
  Returns what Livebook shows of the file: a `Kino.Image`, `Kino.Audio` or `Kino.Video`, by its media type. Livebook shows
  a file that is the value of a cell in the same way. Requires the package `kino`.

  ## Examples

      HfHub.Inference.Media.to_kino(image)
  """
  @spec to_kino(t()) :: term()
  def to_kino(%__MODULE__{content_type: type, data: data}) do
    type = if type in [nil, "application/octet-stream"], do: sniffed(data), else: type

    module =
      case type do
        "audio/" <> _format -> Kino.Audio
        "video/" <> _format -> Kino.Video
        _image -> Kino.Image
      end

    Foreign.call(module, :new, [data, type], "kino")
  end

  # Some servers do not report what they send.
  defp sniffed(<<0xFF, 0xD8, 0xFF, _rest::binary>>), do: "image/jpeg"
  defp sniffed(<<"GIF8", _rest::binary>>), do: "image/gif"
  defp sniffed(<<"RIFF", _size::32, "WEBP", _rest::binary>>), do: "image/webp"
  defp sniffed(<<"RIFF", _size::32, "WAVE", _rest::binary>>), do: "audio/wav"
  defp sniffed(<<"fLaC", _rest::binary>>), do: "audio/flac"
  defp sniffed(<<"OggS", _rest::binary>>), do: "audio/ogg"
  defp sniffed(<<"ID3", _rest::binary>>), do: "audio/mpeg"
  defp sniffed(<<0xFF, second, _rest::binary>>) when second in [0xF2, 0xF3, 0xFA, 0xFB], do: "audio/mpeg"
  defp sniffed(<<_size::32, "ftyp", _rest::binary>>), do: "video/mp4"
  defp sniffed(<<0x1A, 0x45, 0xDF, 0xA3, _rest::binary>>), do: "video/webm"
  defp sniffed(_other), do: "image/png"

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
