defmodule HfHub.Safetensors.Writer do
  # Writes safetensors files, byte for byte as the format's own library does, and the shards and index of
  # `save_torch_model` in the Python client. Files are written beside their places and renamed once all are complete.
  @moduledoc false

  alias HfHub.{Brief, Error, Incomplete, Options}
  alias HfHub.Error.Io
  alias HfHub.Native.Nif
  alias HfHub.Safetensors.{AsNx, Dtype, Header}

  @typep tensor :: {String.t(), String.t(), [non_neg_integer()], data :: term(), size :: non_neg_integer()}

  # Readers multiply the dimensions as numbers of 64 bits, from the first one on.
  @max_count 0xFFFFFFFFFFFFFFFF

  @doc "Writes the tensors to a file, or to shards of at most `:max_shard_size` bytes. Returns the paths; an index is the last."
  @spec write(Path.t(), Enumerable.t(), keyword()) :: {:ok, [Path.t()]} | {:error, Error.t()}
  def write(path, tensors, opts) do
    if Enumerable.impl_for(tensors) == nil, do: tensor!(tensors)
    tensors = Enum.map(tensors, &tensor!/1)
    unique!(tensors)
    metadata = opts[:metadata]
    shards = split(tensors, opts[:max_shard_size])
    files = for {name, shard} <- names(path, shards), do: {name, shard(name, shard, metadata)}
    files = if length(shards) > 1, do: files ++ [index(path, files, shards, metadata)], else: files

    places = for {name, fill} <- files, do: {name, Incomplete.beside(name), fill}

    try do
      # Before anything is written, and again before the first file is in its place.
      with :ok <- free(places), :ok <- fill(places), :ok <- free(places), :ok <- publish(places) do
        remove_others(path, for({name, _beside, _fill} <- places, do: name))
        {:ok, for({name, _beside, _fill} <- places, do: name)}
      end
    after
      for {_name, beside, _fill} <- places, do: File.rm(beside)
    end
  end

  defp tensor!({name, value}) when is_binary(name) and name != "__metadata__" do
    unless String.valid?(name), do: raise(ArgumentError, "the name of a tensor is not valid UTF-8")
    {dtype, shape, data} = fields!(name, value)
    bits = Dtype.bits(dtype) || invalid!(name, "type must be one of #{Enum.join(Dtype.names(), ", ")}")
    unless shape?(shape), do: invalid!(name, "shape must be a list of non-negative integers")
    bits = bits * Enum.reduce(shape, 1, &product!(&1, &2, name))
    if rem(bits, 8) != 0, do: invalid!(name, "values do not end at a byte")
    if is_binary(data) and byte_size(data) != div(bits, 8), do: size!(name, byte_size(data), div(bits, 8))
    {name, dtype, shape, data, div(bits, 8)}
  end

  defp tensor!(other),
    do: raise(ArgumentError, "expected tensors as {name, {dtype, shape, data}}, got: #{Options.shown(other)}")

  defp fields!(name, {dtype, shape, data}) when is_binary(dtype) do
    if is_function(data, 0) or pieces?(data),
      do: {dtype, shape, data},
      else: invalid!(name, "data must be a binary, a stream or a function")
  end

  defp fields!(name, value) do
    unless AsNx.tensor?(value), do: invalid!(name, "value must be {dtype, shape, data} or a tensor of Nx")

    case AsNx.fields(value) do
      {:ok, fields} ->
        fields

      {:error, type} ->
        invalid!(name, "type #{inspect(type)} of Nx is none of safetensors files; convert it first")
    end
  end

  # The entries of a map have no order, and are not binaries.
  defp pieces?(%{} = map) when not is_struct(map), do: false
  defp pieces?(list) when is_list(list), do: proper?(list)
  defp pieces?(data), do: is_binary(data) or Enumerable.impl_for(data) != nil

  defp shape?(shape),
    do: is_list(shape) and proper?(shape) and Enum.all?(shape, &(is_integer(&1) and &1 >= 0))

  defp proper?(list), do: not List.improper?(list)

  # Also beside a zero.
  defp product!(size, count, _name) when size <= @max_count and size * count <= @max_count, do: size * count
  defp product!(_size, _count, name), do: invalid!(name, "shape is larger than any reader accepts")

  @spec size!(String.t(), non_neg_integer(), non_neg_integer()) :: no_return()
  defp size!(name, size, expected),
    do: invalid!(name, "data has #{Brief.count(size, "bytes")}, expected #{expected} from its shape")

  @spec invalid!(String.t(), String.t()) :: no_return()
  defp invalid!(name, why), do: raise(ArgumentError, "invalid tensor #{inspect(name)}: its #{why}")

  defp unique!(tensors) do
    names = for tensor <- tensors, do: elem(tensor, 0)

    with [name | _more] <- names -- Enum.uniq(names),
         do: raise(ArgumentError, "there are two tensors named #{inspect(name)}")
  end

  # In the given order, as the Python client does: a larger tensor than allowed gets a file of its own.
  defp split(tensors, nil), do: [tensors]

  defp split(tensors, most) do
    {shards, current, _size} = Enum.reduce(tensors, {[], [], 0}, &place(&1, &2, most))
    shards = if current == [], do: shards, else: [Enum.reverse(current) | shards]
    if shards == [], do: [[]], else: Enum.reverse(shards)
  end

  defp place({_, _, _, _, size} = tensor, {shards, current, sum}, most) do
    cond do
      size > most -> {[[tensor] | shards], current, sum}
      sum + size > most -> {[Enum.reverse(current) | shards], [tensor], size}
      true -> {shards, [tensor | current], sum + size}
    end
  end

  defp names(path, [shard]), do: [{path, shard}]

  defp names(path, shards) do
    for {shard, number} <- Enum.with_index(shards, 1),
        do:
          {"#{Path.rootname(path)}-#{padded(number)}-of-#{padded(length(shards))}#{Path.extname(path)}",
           shard}
  end

  defp padded(number), do: number |> to_string() |> String.pad_leading(5, "0")

  # As Python's json.dump(…, indent=2) writes it. Readers of a sharded model have no other metadata than that of the index.
  defp index(path, files, shards, metadata) do
    total = shards |> Enum.concat() |> Enum.map(&elem(&1, 4)) |> Enum.sum()
    {size, others} = Map.pop(metadata || %{}, "total_size")
    about = [~s("total_size": #{if size, do: ascii(size), else: total}) | Enum.map(Enum.sort(others), &row/1)]

    weights =
      for {{file, _write}, shard} <- Enum.zip(files, shards),
          tensor <- shard,
          do: row({elem(tensor, 0), Path.basename(file)})

    text = "{\n  \"metadata\": #{object(about)},\n  \"weight_map\": #{object(weights)}\n}"
    {path <> ".index.json", fn write -> write.(text) end}
  end

  defp object(rows), do: "{\n" <> Enum.map_join(rows, ",\n", &("    " <> &1)) <> "\n  }"
  defp row({name, value}), do: ascii(name) <> ": " <> ascii(value)

  defp ascii(text) do
    Regex.replace(~r/[^\x00-\x7f]/u, Nif.to_json(text), fn <<code::utf8>> ->
      for <<unit::16 <- :unicode.characters_to_binary([code], :utf8, {:utf16, :big})>>, into: "" do
        "\\u" <> (unit |> Integer.to_string(16) |> String.downcase() |> String.pad_leading(4, "0"))
      end
    end)
  end

  # The order of the format's library: large types first, so that all data is aligned, and then by name.
  @spec shard(Path.t(), [tensor()], map() | nil) :: ((iodata() -> :ok) -> :ok)
  defp shard(path, tensors, metadata) do
    tensors = Enum.sort_by(tensors, fn {name, dtype, _, _, _} -> {-Dtype.rank(dtype), name} end)
    header = header!(path, tensors, metadata)

    fn write ->
      write.(header)
      Enum.each(tensors, &data!(&1, write))
    end
  end

  defp header!(path, tensors, metadata) do
    {entries, _end} =
      Enum.map_reduce(tensors, 0, fn {name, dtype, shape, _data, size}, offset ->
        entry =
          ~s("dtype":"#{dtype}","shape":[#{Enum.join(shape, ",")}],"data_offsets":[#{offset},#{offset + size}])

        {[Nif.to_json(name), ":{", entry, "}"], offset + size}
      end)

    about =
      if metadata,
        do: [[~s("__metadata__":{), metadata |> Enum.sort() |> Enum.map_intersperse(",", &pair/1), "}"]]

    text = IO.iodata_to_binary(["{", Enum.intersperse(List.wrap(about) ++ entries, ","), "}"])
    padding = rem(8 - rem(byte_size(text), 8), 8)
    length = byte_size(text) + padding
    if length > Header.max_length(), do: too_long!(path, length)
    [<<length::little-64>>, text, String.duplicate(" ", padding)]
  end

  @spec too_long!(Path.t(), pos_integer()) :: no_return()
  defp too_long!(path, length) do
    raise ArgumentError,
          "the header of `#{path}` would have #{length} bytes, the format allows #{Header.max_length()}; " <>
            "pass fewer tensors, shorter names or less :metadata"
  end

  defp pair({name, value}), do: [Nif.to_json(name), ":", Nif.to_json(value)]

  defp data!({name, dtype, shape, data, size}, write) when is_function(data, 0),
    do: data!({name, dtype, shape, data.(), size}, write)

  defp data!({name, _dtype, _shape, data, size}, write) do
    unless pieces?(data), do: invalid!(name, "function must return a binary or a stream of binaries")
    pieces = if is_binary(data), do: [data], else: data

    written =
      Enum.reduce(pieces, 0, fn piece, sum ->
        sum = sum + length!(piece, name)
        # Before it is written, so that an endless stream ends here.
        if sum > size, do: size!(name, sum, size)
        write.(piece)
        sum
      end)

    if written != size, do: size!(name, written, size)
  end

  defp length!(piece, name) do
    IO.iodata_length(piece)
  rescue
    ArgumentError -> invalid!(name, "data must be binaries, got: #{Options.shown(piece)}")
  end

  defp free(places),
    do: each(places, fn {path, _beside, _fill} -> if(File.dir?(path), do: {:error, :eisdir}, else: :ok) end)

  defp fill(places), do: each(places, fn {_path, beside, fill} -> write_file(beside, fill) end)
  defp publish(places), do: each(places, fn {path, beside, _fill} -> :file.rename(beside, path) end)

  defp each(places, fun) do
    Enum.find_value(places, :ok, fn {path, _beside, _fill} = place ->
      with {:error, reason} <- fun.(place) do
        {:error, Io.new("write", path, reason)}
      else
        :ok -> nil
      end
    end)
  end

  defp write_file(beside, fill) do
    with {:ok, file} <- :file.open(beside, [:write, :exclusive, :raw, :binary]) do
      try do
        fill.(fn bytes ->
          with {:error, reason} <- :file.write(file, bytes), do: throw({:unwritten, reason})
        end)

        :file.sync(file)
      catch
        {:unwritten, reason} -> {:error, reason}
      after
        :file.close(file)
      end
    end
  end

  # Files of an earlier model of that name, which readers would mix with these, and those of a writer that was killed.
  defp remove_others(path, written) do
    {base, extension} = {Regex.escape(Path.rootname(Path.basename(path))), Regex.escape(Path.extname(path))}
    names = "#{base}(-\\d{5}-of-\\d{5})?#{extension}(\\.index\\.json)?"
    folder = Path.dirname(path)
    Incomplete.clean(folder, ~r/\A\.#{names}\.[\d.-]+\.incomplete\z/)

    # A folder may be one to write to only.
    for {:ok, names_there} <- [File.ls(folder)],
        name <- names_there,
        other = Path.join(folder, name),
        name =~ ~r/\A#{names}\z/ and other not in written,
        do: File.rm(other)
  end
end
