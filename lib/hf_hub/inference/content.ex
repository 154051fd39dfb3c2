defmodule HfHub.Inference.Content do
  # Files that a call sends, such as images and audio: bytes, `{:path, path}`, a URL, or an enumerable of iodata.
  @moduledoc false

  alias HfHub.{Decode, Error, Options, Request}
  alias HfHub.Inference.Media

  @type t :: binary() | {:path, Path.t()} | Enumerable.t()

  @types %{
    ".aac" => "audio/aac",
    ".bmp" => "image/bmp",
    ".flac" => "audio/flac",
    ".gif" => "image/gif",
    ".jpeg" => "image/jpeg",
    ".jpg" => "image/jpeg",
    ".m4a" => "audio/mp4",
    ".mp3" => "audio/mpeg",
    ".mp4" => "video/mp4",
    ".ogg" => "audio/ogg",
    ".opus" => "audio/ogg",
    ".pdf" => "application/pdf",
    ".png" => "image/png",
    ".tif" => "image/tiff",
    ".tiff" => "image/tiff",
    ".wav" => "audio/wav",
    ".webm" => "video/webm",
    ".webp" => "image/webp"
  }

  @doc "Returns the bytes and the media type, if it is known. Raises `HfHub.Error` if the content cannot be read."
  @spec read!(t(), keyword()) :: {binary(), String.t() | nil}
  def read!({:path, path}, _opts), do: {path |> path!() |> read_file!(), type(path)}
  def read!("http://" <> _rest = url, opts), do: fetch!(url, opts)
  def read!("https://" <> _rest = url, opts), do: fetch!(url, opts)

  def read!("data:" <> _rest = url, _opts) do
    case data_url(url) do
      {:ok, found} -> found
      :error -> raise Error.new(:bad_request, "malformed data URL")
    end
  end

  def read!(bytes, _opts) when is_binary(bytes), do: {bytes, nil}

  def read!(pieces, _opts) do
    {pieces |> check!() |> listed() |> IO.iodata_to_binary(), nil}
  rescue
    # Of `IO.iodata_to_binary/1`, or of the caller's own stream.
    error in ArgumentError ->
      if is_list(pieces), do: unexpected!(pieces), else: reraise(error, __STACKTRACE__)
  end

  # An improper list is iodata, too.
  defp listed(list) when is_list(list), do: list
  defp listed(pieces), do: Enum.to_list(pieces)

  @typedoc "The body of a request, or a file in a form: `HfHub.Inference.Call` holds streams in a file while it sends them."
  @type body :: iodata() | {:path, Path.t()} | {:stream, Enumerable.t()}

  @doc "Returns the content as the body of a request, and its media type, if it is known. Nothing is read yet."
  @spec body!(t(), keyword()) :: {body(), String.t() | nil}
  def body!({:path, path}, _opts) do
    path = path!(path)

    case File.stat(path) do
      {:ok, %{type: :regular}} -> {{:path, path}, type(path)}
      {:ok, %{type: :directory}} -> missing!(path, :eisdir)
      {:ok, _device} -> missing!(path, :enotsup)
      {:error, reason} -> missing!(path, reason)
    end
  end

  def body!(content, opts) when is_binary(content) or is_list(content), do: read!(content, opts)
  def body!(pieces, _opts), do: {{:stream, check!(pieces)}, nil}

  @doc "Returns the content as a URL: its own, or a data URL."
  @spec url!(t(), String.t(), keyword()) :: String.t()
  def url!("http" <> rest = url, default, opts) do
    if String.starts_with?(rest, ["://", "s://"]), do: url, else: encoded!(url, default, opts)
  end

  def url!("data:" <> _rest = url, _default, _opts), do: url
  def url!(content, default, opts), do: encoded!(content, default, opts)

  defp encoded!(content, default, opts) do
    {bytes, type} = read!(content, opts)
    "data:#{type || default};base64,#{Base.encode64(bytes)}"
  end

  @doc "Returns the content in Base64."
  @spec base64!(t(), keyword()) :: String.t()
  def base64!(content, opts), do: content |> read!(opts) |> elem(0) |> Base.encode64()

  @doc "Returns the bytes and the media type of a data URL."
  @spec data_url(String.t()) :: {:ok, {binary(), String.t() | nil}} | :error
  def data_url("data:" <> rest) do
    with [about, text] <- String.split(rest, ",", parts: 2) do
      {type, base64?} =
        case String.split(about, ";") |> Enum.reverse() do
          ["base64" | type] -> {type, true}
          type -> {type, false}
        end

      type = with "" <- type |> Enum.reverse() |> Enum.join(";"), do: nil
      bytes = if base64?, do: Base.decode64(text, padding: false), else: {:ok, URI.decode(text)}
      with {:ok, bytes} <- bytes, do: {:ok, {bytes, type}}
    else
      _no_comma -> :error
    end
  end

  @doc "Returns a file in Base64, or in a data URL. Raises `HfHub.Decode.Error`."
  @spec media(term(), String.t() | nil) :: Media.t()
  def media("data:" <> _rest = url, _default) do
    case data_url(url) do
      {:ok, {data, type}} -> %Media{data: data, content_type: type}
      :error -> raise Decode.Error, message: "a data URL is malformed"
    end
  end

  def media(text, content_type) do
    case Base.decode64(Decode.text(text), ignore: :whitespace, padding: false) do
      {:ok, data} -> %Media{data: data, content_type: content_type}
      :error -> raise Decode.Error, message: "expected Base64"
    end
  end

  @doc "Downloads what a URL points to, without a token. Raises `HfHub.Error`."
  @spec fetch!(String.t(), keyword()) :: {binary(), String.t() | nil}
  def fetch!(url, opts) do
    {origin, path} = split!(url)
    opts = Keyword.merge(opts, endpoint: origin, token: false)
    request = %{Request.new(:get, "/", [], opts) | path: path}

    case request |> Request.plain() |> Request.content() do
      {:ok, %{content: bytes, content_type: type}} -> {bytes, type || type(URI.parse(url).path || "")}
      {:error, error} -> raise error
    end
  end

  @doc "Returns the origin of a URL, and its path with its query. Raises `HfHub.Error` if it is not one of HTTP."
  @spec split!(String.t()) :: {String.t(), String.t()}
  def split!(url) do
    case URI.parse(url) do
      %URI{userinfo: info} when info != nil ->
        raise Error.new(
                :invalid_name,
                "invalid URL: it has a user or a password, which are not sent; pass them as a header"
              )

      %URI{scheme: scheme, host: host} = uri when scheme in ["http", "https"] and host not in [nil, ""] ->
        path = "/" <> String.trim_leading(uri.path || "", "/")
        origin = %URI{scheme: scheme, host: host, port: uri.port}
        {to_string(origin), if(uri.query, do: path <> "?" <> uri.query, else: path)}

      _other ->
        raise Error.new(:invalid_name, "invalid URL #{Options.shown(url)}: expected one of http or https")
    end
  end

  defp type(path), do: @types[path |> Path.extname() |> String.downcase()]

  defp read_file!(path) do
    case File.read(path) do
      {:ok, bytes} -> bytes
      {:error, reason} -> missing!(path, reason)
    end
  end

  defp missing!(path, reason) do
    reason = reason |> :file.format_error() |> to_string()
    raise Error.new(:io, "cannot read the file `#{path}`", path: path, reason: reason)
  end

  defp path!(path) do
    IO.chardata_to_string(path)
  rescue
    _no_text in [ArgumentError, FunctionClauseError, UnicodeConversionError] -> unexpected!({:path, path})
  end

  defp check!(pieces) do
    if Enumerable.impl_for(pieces) != nil and (is_struct(pieces) or not is_map(pieces)) do
      pieces
    else
      unexpected!(pieces)
    end
  end

  defp unexpected!(other) do
    raise ArgumentError,
          "expected bytes, {:path, path}, a URL or an enumerable of iodata, got: #{Options.shown(other)}"
  end
end
