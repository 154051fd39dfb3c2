defmodule HfHub.DatasetFiles.Formats do
  # The data files of a repository: the extensions that `datasets` reads, by loader. All files of a split have
  # one format; other files (notes, licences, previews) do not belong to it.
  @moduledoc false

  # The loaders of media accept their extensions in capitals too.
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
  # Extensions of data files whose format they do not determine.
  @archives ~w(zip gz tgz)
  @lance_parts ~w(idx txn manifest)
  # Tables next to media, and the files of a Harbor task, which by their extensions would be documentation.
  @tables ~w(metadata.csv metadata.jsonl metadata.parquet)
  @with_tables [:mmcif | Keyword.keys(@media)]
  @tasks ~w(task.toml instruction.md)
  # Among equally frequent extensions the first of these is chosen, else the alphabetically last one.
  @favourites ~w(parquet lance vortex arrow jsonl json csv)
  @ignored ~w(README.md config.json dataset_info.json dataset_infos.json dummy_data.zip dataset_dict.json)

  @doc "Returns the data files, of any format."
  @spec data([String.t()]) :: [String.t()]
  def data(paths), do: Enum.filter(paths, &data?/1)

  @doc "Returns the files of the most frequent format, or all files if no format is known."
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
      # The format of files in an archive is not known here.
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
