defmodule HfHub.Request.Form do
  # Encodes query strings and HTML forms.
  @moduledoc false

  @typedoc "A part of a body: bytes, a file, or a stream, which the caller writes to a file before it sends the body."
  @type piece :: binary() | {:path, Path.t()} | {:stream, Enumerable.t()}

  @type part ::
          {String.t(), String.t()}
          | {String.t(), {:file, iodata() | piece(), filename :: String.t(), content_type :: String.t()}}

  @doc "Returns parameters as pairs of texts: a list is repeated keys, and `nil` is omitted."
  @spec pairs(keyword() | [{String.t(), term()}]) :: [{String.t(), String.t()}]
  def pairs(params) do
    for {name, value} <- params,
        value != nil,
        item <- List.wrap(value),
        do: {to_string(name), to_string(item)}
  end

  @doc "Returns the text of a query or of a URL-encoded form."
  @spec encode(keyword() | [{String.t(), term()}]) :: String.t()
  def encode(params) do
    Enum.map_join(pairs(params), "&", fn {name, value} ->
      URI.encode_www_form(name) <> "=" <> URI.encode_www_form(value)
    end)
  end

  @doc "Returns the pieces of a multipart form, and its content type."
  @spec multipart([part()]) :: {[piece()], String.t()}
  def multipart(parts) do
    boundary = "hf_hub-" <> Base.encode16(:crypto.strong_rand_bytes(16), case: :lower)
    pieces = Enum.flat_map(parts, &part(&1, boundary)) ++ ["--#{boundary}--\r\n"]
    {pieces, "multipart/form-data; boundary=#{boundary}"}
  end

  defp part({name, {:file, content, filename, content_type}}, boundary) do
    about = "; filename=\"#{quoted(filename)}\"\r\nContent-Type: #{content_type}"
    [head(name, about, boundary), piece(content), "\r\n"]
  end

  defp part({name, text}, boundary), do: [head(name, "", boundary) <> text <> "\r\n"]

  defp piece({sort, _source} = piece) when sort in [:path, :stream], do: piece
  defp piece(bytes), do: IO.iodata_to_binary(bytes)

  defp head(name, about, boundary),
    do: "--#{boundary}\r\nContent-Disposition: form-data; name=\"#{quoted(name)}\"#{about}\r\n\r\n"

  # As in the HTML standard, "Multipart form data".
  defp quoted(text), do: String.replace(text, ["\"", "\r", "\n"], &("%" <> Base.encode16(&1)))
end
