defmodule HfHub.DatasetFiles.Formats do
  # Which files of a repository hold data: the extensions that `datasets` reads, by the loader that reads them.
  # A split is of one format; its other files (notes, licences, previews) belong to no split.
  @moduledoc false

  # Loaders of media know their extensions in capitals, too.
  @media [
    pdb: ~w(ent pdb),
    image: ~w(apng blp bmp bufr bw cur dcx dds dib emf eps fit fits flc fli ftc ftu gbr gif grib icb icns ico
              iim im j2c j2k jfif jp2 jpc jpe jpeg jpf jpg jpx msp pbm pcd pcx pgm png pnm ppm ps psd pxr ras
              rgb rgba sgi tga tif tiff vda vst webp wmf xbm xpm),
    audio: ~w(3g2 3gp aiff asf au avr caf f4v flac flv htk ircam m4v mat4 mat5 mp3 mpc2k mpg mxf nist nut ogg
              ogm opus paf pvf raw rf64 sd2 sds svx voc w64 wav wavex webm wma wmv wve xi),
    video: ~w(avi mkv mov mp4 mpeg),
    mesh: ~w(glb gltf ply stl),
    pdf: ~w(pdf),
    nifti: ~w(nii)
  ]
  @texts [
    csv: ~w(csv tsv),
    json: ~w(json jsonl ndjson),
    parquet: ~w(geoparquet gpq parquet),
    arrow: ~w(arrow),
    text: ~w(txt),
    conll: ~w(conll conllu),
    webdataset: ~w(tar),
    xml: ~w(xml),
    hdf5: ~w(h5 hdf5),
    eval: ~w(eval),
    lance: ~w(lance),
    tsfile: ~w(tsfile),
    vortex: ~w(vortex),
    fasta: ~w(afa fa faa fasta ffn fna frn),
    genbank: ~w(gb gbk genbank),
    fastq: ~w(fastq fq),
    mmcif: ~w(cif mmcif)
  ]
  @capitals for {format, endings} <- @media, do: {format, Enum.map(endings, &String.upcase/1)}
  @formats for {format, endings} <- @texts ++ @media ++ @capitals,
               ending <- endings,
               into: %{},
               do: {ending, format}
  # Extensions that are data without saying of which format.
  @archives ~w(zip gz tgz)
  @lance_parts ~w(idx txn manifest)
  # Tables beside media, and the files of a Harbor task, whose extensions alone mean documentation.
  @tables ~w(metadata.csv metadata.jsonl metadata.parquet)
  @with_tables [:mmcif | Keyword.keys(@media)]
  @tasks ~w(task.toml instruction.md)
  # Where formats are equally frequent, the first of these is the format, then the last of the alphabet.
  @favourites ~w(parquet lance vortex arrow jsonl json csv)
  @ignored ~w(README.md config.json dataset_info.json dataset_infos.json dummy_data.zip dataset_dict.json)

  @doc "Returns the files that may hold data, whatever their format."
  @spec data([String.t()]) :: [String.t()]
  def data(paths), do: Enum.filter(paths, &data?/1)

  @doc "Returns the files of the format that most of the files have; all of them where none is known."
  @spec main([String.t()]) :: [String.t()]
  def main(paths) do
    case format(paths) do
      nil -> paths
      format -> Enum.filter(paths, &of_format?(&1, format))
    end
  end

  defp data?(path) do
    name = Path.basename(path)

    name in @tasks or
      (name not in @ignored and
         Enum.any?(endings(name), &(is_map_key(@formats, &1) or &1 in @archives or &1 in @lance_parts)))
  end

  defp format(paths) do
    if Enum.any?(paths, &(Path.basename(&1) in @tasks)), do: :harbor, else: most_frequent(paths)
  end

  defp most_frequent(paths) do
    paths
    |> Enum.flat_map(fn path ->
      name = Path.basename(path)
      for ending <- endings(name), do: {String.downcase(ending), name in @tables}
    end)
    |> Enum.frequencies()
    |> Enum.sort_by(&rank/1, :desc)
    |> Enum.find_value(fn {{ending, _table}, _count} ->
      if ending == "zip", do: :unknown, else: @formats[ending]
    end)
    |> case do
      # What lies in an archive is not known here.
      :unknown -> nil
      format -> format
    end
  end

  defp rank({{ending, table}, count}) do
    favourite = Enum.find_index(@favourites, &(&1 == ending)) || length(@favourites)
    {not table, count, -favourite, ending}
  end

  defp of_format?(path, :harbor), do: Path.basename(path) in @tasks

  defp of_format?(path, format) do
    name = Path.basename(path)

    endings = endings(name)

    Enum.any?(endings, &(@formats[&1] == format or &1 == "zip")) or
      (name in @tables and format in @with_tables) or
      (format == :lance and (name == "latest_version_hint.json" or Enum.any?(endings, &(&1 in @lance_parts))))
  end

  defp endings(name), do: name |> String.split(".") |> tl()
end
