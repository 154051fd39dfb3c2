defmodule HfHub.DDUF.Zip do
  # ZIP archives whose entries are stored without compression, of any size (ZIP64). OTP's module reads whole archives.
  @moduledoc false

  alias HfHub.DDUF.Rules

  @saturated 0xFFFFFFFF
  # A regular file, readable and writable by its owner, on Unix.
  @mode 0o100600 * 0x10000
  @zip64 45

  # The end record with its longest comment.
  @longest_end 65_557
  @largest_directory 64 * 1024 * 1024

  @typedoc "Reads bytes of the archive at a position."
  @type reader :: (non_neg_integer(), non_neg_integer() -> binary())

  @typedoc "The name, the position and the length of an entry."
  @type entry :: {binary(), non_neg_integer(), non_neg_integer()}

  @doc """
  Returns the entries; throws `{:invalid, why}` for what is no such archive. `refused` returns why names are not allowed, if
  they are not.
  """
  @spec entries(reader(), non_neg_integer(), ([binary()] -> String.t() | nil)) :: [entry()]
  def entries(read, size, refused) do
    tail = read.(max(size - @longest_end, 0), min(size, @longest_end))
    {directory, offset} = directory(read, tail, size)
    if directory > @largest_directory, do: invalid("its directory has more than 64 MiB")
    if offset + directory > size, do: invalid("its directory is beyond its end")
    found = central(read.(offset, directory), [], Rules.most_entries())
    # Before their headers are read.
    if why = refused.(for {name, _offset, _length} <- found, do: name), do: invalid(why)
    for entry <- found, do: located(entry, read, size)
  end

  # The last record that ends with the file; an entry may contain its signature.
  defp directory(read, tail, size) do
    found =
      for {at, 4} <- :binary.matches(tail, <<"PK", 5, 6>>),
          <<_before::binary-size(at), _signature::32, _disks::64, length::little-32, offset::little-32,
            comment::little-16, _comment::binary-size(comment)>> <- [tail],
          do: {at, length, offset}

    case List.last(found) do
      nil ->
        invalid("it has no directory of a ZIP archive")

      {at, length, offset} when @saturated in [length, offset] ->
        zip64(read, size - byte_size(tail) + at, size)

      {_at, length, offset} ->
        {length, offset}
    end
  end

  defp zip64(read, at, size) do
    with true <- at >= 20,
         <<"PK", 6, 7, _disk::32, place::little-64, _disks::32>> <- read.(at - 20, 20),
         true <- place + 56 <= size,
         <<"PK", 6, 6, _::binary-36, length::little-64, offset::little-64>> <- read.(place, 56) do
      {length, offset}
    else
      _damaged -> invalid("its ZIP64 record is damaged")
    end
  end

  defp central("", found, _left), do: Enum.reverse(found)
  defp central(_more, _found, 0), do: invalid("it has more than #{Rules.most_entries()} entries")

  defp central(
         <<"PK", 1, 2, _versions::32, flags::little-16, method::little-16, _time::32, _crc::32,
           stored::little-32, length::little-32, named::little-16, extended::little-16, commented::little-16,
           _disk::16, _attributes::48, offset::little-32, rest::binary>>,
         found,
         left
       ) do
    case rest do
      <<name::binary-size(named), extra::binary-size(extended), _comment::binary-size(commented),
        rest::binary>> ->
        if method != 0 or Bitwise.band(flags, 1) == 1,
          do: invalid("#{Rules.shown(name)} is compressed or encrypted")

        {length, stored, offset} = sizes({length, stored, offset}, extra)
        if length != stored, do: invalid("#{Rules.shown(name)} has two sizes")
        central(rest, [{name, offset, length} | found], left - 1)

      _cut ->
        invalid("its directory is damaged")
    end
  end

  defp central(_damaged, _found, _left), do: invalid("its directory is damaged")

  # The extra field has those of the three numbers, in this order, that do not fit into 32 bits.
  defp sizes({length, stored, offset} = sizes, extra) do
    if @saturated in [length, stored, offset] do
      {length, field} = wide(length, zip64_field(extra))
      {stored, field} = wide(stored, field)
      {offset, _field} = wide(offset, field)
      {length, stored, offset}
    else
      sizes
    end
  end

  defp wide(@saturated, <<number::little-64, rest::binary>>), do: {number, rest}
  defp wide(@saturated, _missing), do: invalid("a ZIP64 size is missing")
  defp wide(number, field), do: {number, field}

  defp zip64_field(<<1::little-16, length::little-16, field::binary-size(length), _rest::binary>>), do: field

  defp zip64_field(<<_id::16, length::little-16, _field::binary-size(length), rest::binary>>),
    do: zip64_field(rest)

  defp zip64_field(_none), do: ""

  # The header before the content repeats the name, and may have another extra field.
  defp located({name, offset, length}, read, size) do
    with true <- offset + 30 <= size,
         <<"PK", 3, 4, _::binary-22, named::little-16, extra::little-16>> <- read.(offset, 30),
         first = offset + 30 + named + extra,
         true <- first + length <= size do
      {name, first, length}
    else
      _damaged -> invalid("the content of #{Rules.shown(name)} is beyond its end, or has no header")
    end
  end

  @spec invalid(String.t()) :: no_return()
  defp invalid(why), do: throw({:invalid, why})

  @doc """
  Writes an archive by a function that writes at a position. The entries are `{name, pieces}`, an enumerable of binaries.

  Numbers from `limit` on are written in 64 bits. Returns the entries as `entries/3`.
  """
  @spec write(Enumerable.t(), (non_neg_integer(), iodata() -> :ok), pos_integer()) :: [entry()]
  def write(entries, put, limit \\ @saturated) do
    {written, at} =
      Enum.reduce(entries, {[], 0}, fn {name, pieces}, {written, at} ->
        first = content(name, at)

        {length, crc} =
          Enum.reduce(pieces, {0, 0}, fn piece, {length, crc} ->
            put.(first + length, piece)
            {length + byte_size(piece), :erlang.crc32(crc, piece)}
          end)

        # Only now is the checksum known.
        put.(at, local(name, length, crc))
        {[{name, at, length, crc} | written], first + length}
      end)

    written = Enum.reverse(written)
    directory = for entry <- written, into: "", do: central_entry(entry, limit)
    put.(at, [directory, ending(length(written), byte_size(directory), at, limit)])
    for {name, at, length, _crc} <- written, do: {name, content(name, at), length}
  end

  defp content(name, at), do: at + byte_size(local(name, 0, 0))

  # With sizes of 64 bits, as Python's `force_zip64`: the length of the header does not depend on them.
  defp local(name, length, crc) do
    <<"PK", 3, 4, @zip64::little-16, flags(name)::little-16, 0::16, time()::binary, crc::little-32,
      @saturated::little-32, @saturated::little-32, byte_size(name)::little-16, 20::little-16, name::binary,
      1::little-16, 16::little-16, length::little-64, length::little-64>>
  end

  defp central_entry({name, offset, length, crc}, limit) do
    {short_length, wide_length} = fitted(length, limit)
    {short_offset, wide_offset} = fitted(offset, limit)
    field = wide_length <> wide_length <> wide_offset
    extra = if field == "", do: "", else: <<1::little-16, byte_size(field)::little-16, field::binary>>

    <<"PK", 1, 2, @zip64, 3, @zip64::little-16, flags(name)::little-16, 0::16, time()::binary, crc::little-32,
      short_length::little-32, short_length::little-32, byte_size(name)::little-16,
      byte_size(extra)::little-16, 0::16, 0::16, 0::16, @mode::little-32, short_offset::little-32,
      name::binary, extra::binary>>
  end

  defp fitted(number, limit) when number < limit, do: {number, ""}
  defp fitted(number, _limit), do: {@saturated, <<number::little-64>>}

  defp ending(count, directory, at, limit) do
    short = min(count, 0xFFFF)

    last = &<<"PK", 5, 6, 0::32, short::little-16, short::little-16, &1::little-32, &2::little-32, 0::16>>

    if at < limit and directory < limit and count < 0xFFFF do
      last.(directory, at)
    else
      [
        <<"PK", 6, 6, 44::little-64, @zip64::little-16, @zip64::little-16, 0::64, count::little-64,
          count::little-64, directory::little-64, at::little-64>>,
        <<"PK", 6, 7, 0::32, at + directory::little-64, 1::little-32>>,
        last.(@saturated, @saturated)
      ]
    end
  end

  # A name that is not ASCII is marked as UTF-8.
  defp flags(name), do: if(name =~ ~r/^[\x00-\x7f]*$/, do: 0, else: 0x800)

  # 1980-01-01, the first time that ZIP knows: the same content makes the same archive.
  defp time, do: <<0::16, 0x21::little-16>>
end
