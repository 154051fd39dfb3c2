defmodule HfHub.Buckets.ContentType do
  # Media types by the extension of a file name: the table of Python's `mimetypes`, which the Python client uses, without
  # the types that it finds on the machine.
  @moduledoc false

  @table """
    application/javascript js mjs
    application/json json
    application/manifest+json webmanifest
    application/msword doc dot wiz
    application/n-quads nq
    application/n-triples nt
    application/octet-stream a bin dll exe o obj so
    application/oda oda
    application/pdf pdf
    application/pkcs7-mime p7c
    application/postscript ai eps ps
    application/trig trig
    application/vnd.apple.mpegurl m3u m3u8
    application/vnd.ms-excel xlb xls
    application/vnd.ms-powerpoint pot ppa pps ppt pwz
    application/wasm wasm
    application/x-bcpio bcpio
    application/x-cpio cpio
    application/x-csh csh
    application/x-dvi dvi
    application/x-gtar gtar
    application/x-hdf hdf
    application/x-hdf5 h5
    application/x-latex latex
    application/x-mif mif
    application/x-netcdf cdf nc
    application/x-pkcs12 p12 pfx
    application/x-pn-realaudio ram
    application/x-python-code pyc pyo
    application/x-sh sh
    application/x-shar shar
    application/x-shockwave-flash swf
    application/x-sv4cpio sv4cpio
    application/x-sv4crc sv4crc
    application/x-tar tar
    application/x-tcl tcl
    application/x-tex tex
    application/x-texinfo texi texinfo
    application/x-troff roff t tr
    application/x-troff-man man
    application/x-troff-me me
    application/x-troff-ms ms
    application/x-ustar ustar
    application/x-wais-source src
    application/xml rdf wsdl xpdl xsl
    application/zip zip
    audio/3gpp 3gp 3gpp
    audio/3gpp2 3g2 3gpp2
    audio/aac aac adts ass loas
    audio/basic au snd
    audio/mpeg mp2 mp3
    audio/opus opus
    audio/x-aiff aif aifc aiff
    audio/x-pn-realaudio ra
    audio/x-wav wav
    image/avif avif
    image/bmp bmp
    image/gif gif
    image/heic heic
    image/heif heif
    image/ief ief
    image/jpeg jpe jpeg jpg
    image/png png
    image/svg+xml svg
    image/tiff tif tiff
    image/vnd.microsoft.icon ico
    image/x-cmu-raster ras
    image/x-portable-anymap pnm
    image/x-portable-bitmap pbm
    image/x-portable-graymap pgm
    image/x-portable-pixmap ppm
    image/x-rgb rgb
    image/x-xbitmap xbm
    image/x-xpixmap xpm
    image/x-xwindowdump xwd
    message/rfc822 eml mht mhtml nws
    text/css css
    text/csv csv
    text/html htm html
    text/markdown markdown md
    text/n3 n3
    text/plain bat c h ksh pl srt txt
    text/richtext rtx
    text/tab-separated-values tsv
    text/vtt vtt
    text/x-python py
    text/x-setext etx
    text/x-sgml sgm sgml
    text/x-vcard vcf
    text/xml xml
    video/mp4 mp4
    video/mpeg m1v mpa mpe mpeg mpg
    video/quicktime mov qt
    video/webm webm
    video/x-msvideo avi
    video/x-sgi-movie movie
  """

  @types for line <- String.split(@table, "\n", trim: true),
             [type | extensions] = String.split(line),
             extension <- extensions,
             into: %{},
             do: {extension, type}

  # A compressed file has the type of its content.
  @compressed ~w(gz Z bz2 xz br)
  @archives %{"svgz" => "svg", "tgz" => "tar", "taz" => "tar", "tz" => "tar", "tbz2" => "tar", "txz" => "tar"}

  @doc "Returns the media type of a file by its name; `nil` if it is unknown."
  @spec of(String.t()) :: String.t() | nil
  def of(path) do
    name = path |> String.split("/") |> List.last()

    case name |> String.trim_leading(".") |> String.split(".") do
      [_name] -> nil
      parts -> parts |> tl() |> Enum.reverse() |> type()
    end
  end

  defp type([compressed | rest]) when compressed in @compressed,
    do: if(rest != [], do: type(Enum.take(rest, 1)))

  defp type([extension | _rest]) do
    extension = Map.get(@archives, extension, extension)
    @types[extension] || @types[String.downcase(extension)]
  end
end
