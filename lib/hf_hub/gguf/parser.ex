defmodule HfHub.GGUF.Parser do
  # Parses headers. The file is read piece by piece: a header does not announce its length. Every count is checked against
  # the bytes that are left before anything is allocated for it.
  @moduledoc false

  alias HfHub.{Error, RandomAccess}
  alias HfHub.GGUF.{Header, Tensor}

  @max_header 64 * 1_048_576
  # Items of lists take up to 30 times the memory of the file's bytes, entries and tensors more: they count as several.
  @max_items 4_000_000
  @entry 4
  @tensor 16
  @max_depth 4
  @max_dimensions 8
  @max_size 0x7FFFFFFFFFFFFFFF
  @max_piece 8_388_608

  # Number, name, values in a block, bytes of a block.
  @types [
    {0, "F32", 1, 4},
    {1, "F16", 1, 2},
    {2, "Q4_0", 32, 18},
    {3, "Q4_1", 32, 20},
    {6, "Q5_0", 32, 22},
    {7, "Q5_1", 32, 24},
    {8, "Q8_0", 32, 34},
    {9, "Q8_1", 32, 40},
    {10, "Q2_K", 256, 84},
    {11, "Q3_K", 256, 110},
    {12, "Q4_K", 256, 144},
    {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},
    {15, "Q8_K", 256, 292},
    {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98},
    {19, "IQ1_S", 256, 50},
    {20, "IQ4_NL", 32, 18},
    {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},
    {23, "IQ4_XS", 256, 136},
    {24, "I8", 1, 1},
    {25, "I16", 1, 2},
    {26, "I32", 1, 4},
    {27, "I64", 1, 8},
    {28, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},
    {30, "BF16", 1, 2},
    {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},
    {39, "MXFP4", 32, 17},
    {40, "NVFP4", 64, 36},
    {41, "Q1_0", 128, 18}
  ]

  @doc "Reads the header of an open file."
  @spec parse(RandomAccess.t()) :: {:ok, Header.t()} | {:error, Error.t()}
  def parse(file) do
    {:ok, header(%{file: file, rest: "", read: 0, items: @max_items, order: :little})}
  catch
    {:invalid, why} -> {:error, RandomAccess.invalid(file, "GGUF", why)}
    {:failed, error} -> {:error, error}
  end

  defp header(state) do
    {version, state} = version(state)
    {tensors, state} = count(state, 24, "tensors")
    {entries, state} = count(state, 13, "metadata entries")
    state = spend(state, entries * @entry + tensors * @tensor)
    {metadata, state} = metadata(state, entries, %{})
    alignment = alignment(metadata)
    {tensors, state} = tensors(state, tensors, [], %{})
    start = aligned(state.read - byte_size(state.rest), alignment)
    check_places(tensors, alignment, state.file.size - start)

    %Header{
      version: version,
      big_endian?: state.order == :big,
      metadata: metadata,
      tensors: tensors,
      alignment: alignment,
      data_offset: start,
      parameter_count: Enum.reduce(tensors, %{}, &add(&2, &1.type, &1.parameter_count))
    }
  end

  defp add(counts, type, count), do: Map.update(counts, type, count, &(&1 + count))

  defp version(state) do
    case take(state, 8) do
      {<<"GGUF", version::little-32>>, state} when version in [2, 3] -> {version, state}
      {<<"GGUF", version::big-32>>, state} when version in [2, 3] -> {version, %{state | order: :big}}
      {<<"GGUF", version::little-32>>, _state} -> invalid("its version is #{version}, expected 2 or 3")
      _other -> invalid("it does not begin with GGUF")
    end
  end

  # A number of things that take at least `least` bytes each.
  defp count(state, least, what) do
    {<<count::little-64>>, state} = number(state, 8)
    if count * least > left(state), do: invalid("it announces #{count} #{what}, more than fit into it")
    {count, state}
  end

  defp spend(%{items: left} = state, count) when count <= left, do: %{state | items: left - count}
  defp spend(_state, _count), do: invalid("it has too many entries, tensors and items of lists")

  defp metadata(state, 0, found), do: {found, state}

  defp metadata(state, count, found) do
    {key, state} = string(state)
    if is_map_key(found, key), do: invalid("the key #{shown(key)} is repeated")
    {<<type::little-32>>, state} = number(state, 4)
    {value, state} = value(type, state, @max_depth)
    metadata(state, count - 1, Map.put(found, key, value))
  end

  defp string(state) do
    {length, state} = count(state, 1, "characters of a string")
    {text, state} = take(state, length)
    # A copy, because a part of a piece would keep all of it in memory.
    {:binary.copy(text), state}
  end

  for {type, bits, kind} <- [
        {0, 8, :unsigned},
        {1, 8, :signed},
        {2, 16, :unsigned},
        {3, 16, :signed},
        {4, 32, :unsigned},
        {5, 32, :signed},
        {10, 64, :unsigned},
        {11, 64, :signed}
      ] do
    defp value(unquote(type), state, _depth) do
      {<<number::little-unquote({kind, [], nil})-size(unquote(bits))>>, state} =
        number(state, unquote(div(bits, 8)))

      {number, state}
    end
  end

  defp value(6, state, _depth), do: float(number(state, 4))
  defp value(12, state, _depth), do: float(number(state, 8))

  defp value(7, state, _depth) do
    case take(state, 1) do
      {<<0>>, state} -> {false, state}
      {<<1>>, state} -> {true, state}
      _other -> invalid("a boolean is neither 0 nor 1")
    end
  end

  defp value(8, state, _depth), do: string(state)
  defp value(9, _state, 0), do: invalid("lists are nested more than #{@max_depth} levels deep")

  defp value(9, state, depth) do
    {<<type::little-32>>, state} = number(state, 4)
    {count, state} = count(state, least(type), "items of a list")
    items(type, spend(state, count), depth - 1, count, [])
  end

  defp value(type, _state, _depth), do: invalid("#{type} is not a type of metadata")

  defp items(_type, state, _depth, 0, found), do: {Enum.reverse(found), state}

  defp items(type, state, depth, count, found) do
    {value, state} = value(type, state, depth)
    items(type, state, depth, count - 1, [value | found])
  end

  defp least(type) when type in [0, 1, 7], do: 1
  defp least(type) when type in [2, 3], do: 2
  defp least(type) when type in [4, 5, 6], do: 4
  defp least(9), do: 12
  defp least(_type), do: 8

  defp float({<<float::float-little-32>>, state}), do: {float, state}
  defp float({<<float::float-little-64>>, state}), do: {float, state}
  defp float({<<0, 0, 0x80, 0x7F>>, state}), do: {:infinity, state}
  defp float({<<0, 0, 0x80, 0xFF>>, state}), do: {:neg_infinity, state}
  defp float({<<0::48, 0xF0, 0x7F>>, state}), do: {:infinity, state}
  defp float({<<0::48, 0xF0, 0xFF>>, state}), do: {:neg_infinity, state}
  defp float({_bytes, state}), do: {:nan, state}

  # A power of two, as ggml requires.
  defp alignment(metadata) do
    case Map.get(metadata, "general.alignment", 32) do
      number when is_integer(number) and number in 1..0x7FFFFFFF ->
        if Bitwise.band(number, number - 1) == 0,
          do: number,
          else: invalid("its alignment #{number} is not a power of two")

      other ->
        invalid("its alignment #{shown(other)} is not a positive number")
    end
  end

  defp tensors(state, 0, found, _names), do: {Enum.reverse(found), state}

  defp tensors(state, count, found, names) do
    {name, state} = string(state)
    if is_map_key(names, name), do: invalid("the tensor #{shown(name)} is repeated")
    {<<dimensions::little-32>>, state} = number(state, 4)
    if dimensions > @max_dimensions, do: invalid("tensor #{shown(name)} has #{dimensions} dimensions")
    {shape, state} = shape(state, dimensions, [])
    {<<type::little-32>>, state} = number(state, 4)
    {<<offset::little-64>>, state} = number(state, 8)
    tensors(state, count - 1, [tensor(name, shape, type, offset) | found], Map.put(names, name, true))
  end

  defp shape(state, 0, sizes), do: {Enum.reverse(sizes), state}

  defp shape(state, dimensions, sizes) do
    {<<size::little-64>>, state} = number(state, 8)
    shape(state, dimensions - 1, [size | sizes])
  end

  defp tensor(name, shape, type, offset) do
    count = Enum.reduce(shape, 1, &product(&1, &2, name))
    {type, size} = size(List.keyfind(@types, type, 0, type), shape, count, name)
    %Tensor{name: name, type: type, shape: shape, offset: offset, size: size, parameter_count: count}
  end

  defp product(size, count, _name) when size * count <= @max_size, do: size * count
  defp product(_size, _count, name), do: invalid("the size of tensor #{shown(name)} overflows")

  defp size({_number, type, block, bytes}, shape, count, name) do
    if rem(List.first(shape, 1), block) != 0,
      do:
        invalid(
          "the rows of tensor #{shown(name)} are not made of blocks of #{block} values, as #{type} requires"
        )

    {type, div(count, block) * bytes}
  end

  defp size(unknown, _shape, _count, _name), do: {to_string(unknown), nil}

  defp check_places(tensors, alignment, room) do
    Enum.each(
      tensors,
      &if(rem(&1.offset, alignment) != 0, do: invalid("tensor #{shown(&1.name)} is not aligned"))
    )

    tensors
    |> Enum.sort_by(&{&1.offset, &1.size || 0})
    |> Enum.reduce(0, fn tensor, end_ ->
      last = tensor.offset + (tensor.size || 0)
      if tensor.offset < end_, do: invalid("tensor #{shown(tensor.name)} overlaps another one")
      if last > room, do: invalid("tensor #{shown(tensor.name)} extends beyond the end of the file")
      last
    end)
  end

  defp aligned(position, alignment), do: div(position + alignment - 1, alignment) * alignment

  defp left(state), do: state.file.size - state.read + byte_size(state.rest)

  # The bytes of a number, the least significant one first, as in nearly all files.
  defp number(%{order: :little} = state, length), do: take(state, length)

  defp number(state, length) do
    {bytes, state} = take(state, length)
    {for(at <- (length - 1)..0//-1, into: "", do: binary_part(bytes, at, 1)), state}
  end

  defp take(%{rest: rest} = state, length) when byte_size(rest) >= length do
    <<bytes::binary-size(length), rest::binary>> = rest
    {bytes, %{state | rest: rest}}
  end

  defp take(state, length) do
    if length > left(state), do: invalid("it ends in its header")
    missing = length - byte_size(state.rest)
    if state.read + missing > @max_header, do: invalid("its header is longer than #{@max_header} bytes")
    # As much again as was read so far: a long header costs few requests, and a short one few bytes.
    ahead = state.read |> max(65_536) |> min(@max_piece)
    piece = missing |> max(ahead) |> min(min(state.file.size, @max_header) - state.read)

    case RandomAccess.read(state.file, state.read, piece) do
      {:ok, bytes} -> take(%{state | rest: state.rest <> bytes, read: state.read + piece}, length)
      {:error, error} -> throw({:failed, error})
    end
  end

  defp shown(term), do: inspect(term, printable_limit: 100, limit: 5)

  @spec invalid(String.t()) :: no_return()
  defp invalid(why), do: throw({:invalid, why})
end
