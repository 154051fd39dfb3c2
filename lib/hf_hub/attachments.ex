defmodule HfHub.Attachments do
  @moduledoc """
  Pictures, videos and sounds that descriptions and comments of discussions show by their URL.

      {:ok, url} = HfHub.Attachments.upload("screenshot.png")
      HfHub.Discussions.comment("me/my-model", 3, "![screenshot](" <> url <> ")")
  """

  alias HfHub.{Decode, Error, Options, Request}

  @upload Options.common()

  @types [
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".mp4", "video/mp4"},
    {".mov", "video/quicktime"},
    {".webm", "video/webm"},
    {".mp3", "audio/mpeg"},
    {".wav", "audio/wav"}
  ]

  @doc """
  Uploads a file and returns its URL, which is all that is needed to see it.

  The extension of the path must be that of PNG, JPEG, GIF, WebP, MP4, MOV, WebM, MP3 or WAV. Files must be smaller than
  10 MB, videos than 50 MB. The token needs to allow writing; the public Hub also accepts files without a token.

  ## Options

  #{Options.docs(@upload)}

  ## Examples

      {:ok, url} = HfHub.Attachments.upload("screenshot.png")
  """
  @doc python: "upload_attachment"
  @spec upload(Path.t(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def upload(path, opts \\ []) do
    opts = Options.validate!(opts, @upload)

    unless Options.valid_value?(path, :path),
      do: raise(ArgumentError, "expected the path of a file, got: #{Options.shown(path)}")

    case List.keyfind(@types, path |> Path.extname() |> String.downcase(), 0) do
      {_extension, content_type} ->
        Request.new(:post, "/uploads", [], opts)
        |> Request.body({:path, path}, content_type)
        |> Request.run(&String.trim(Decode.text(&1)))

      nil ->
        known = Enum.map_join(@types, ", ", &elem(&1, 0))
        {:error, Error.new(:bad_request, "cannot attach #{path}: expected one of #{known}", path: path)}
    end
  end

  @doc "Same as `upload/2`, but returns the URL or raises `HfHub.Error`."
  @spec upload!(Path.t(), keyword()) :: String.t()
  def upload!(path, opts \\ []), do: Error.unwrap!(upload(path, opts))
end
