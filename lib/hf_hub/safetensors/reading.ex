defmodule HfHub.Safetensors.Reading do
  # Reads the values of tensors.
  @moduledoc false

  alias HfHub.{Brief, Error, Options, RandomAccess}
  alias HfHub.Safetensors.{Dtype, Handle, Names, Source, Tensor}

  # Number of bytes of small tensors that a stream reads at once: each of them alone would cost a request.
  @window 4 * 1_048_576

  @doc "Returns a tensor by its name."
  @spec find(Handle.t(), String.t()) :: {:ok, Tensor.t()} | {:error, Error.t()}
  def find(%Handle{tensors: tensors}, name), do: Names.fetch(tensors, name)

  @doc "Returns the values of a tensor, or of some of its rows, and the shape of what is returned."
  @spec read(Handle.t(), String.t(), Range.t() | nil) ::
          {:ok, binary(), Tensor.t()} | {:error, Error.t()}
  def read(handle, name, rows) do
    with {:ok, tensor} <- find(handle, name),
         {:ok, tensor} <- slice(tensor, name, rows) do
      {file, start} = Source.file(handle, name)
      {first, last} = tensor.data_offsets
      with {:ok, bytes} <- RandomAccess.read(file, start + first, last - first), do: {:ok, bytes, tensor}
    end
  end

  @doc "Returns the names of the tensors in the order of the files and of their data."
  @spec in_order(Handle.t()) :: [String.t()]
  def in_order(handle) do
    handle.tensors
    |> Enum.sort_by(fn {name, tensor} -> {handle.weight_map[name], tensor.data_offsets, name} end)
    |> Enum.map(&elem(&1, 0))
  end

  @doc "Returns a lazy stream of these tensors with their values, which are in the order of the data."
  @spec stream(Handle.t(), [String.t()]) :: Enumerable.t({String.t(), Tensor.t(), binary()})
  def stream(handle, names), do: handle |> windows(names) |> Stream.flat_map(&window(handle, &1))

  defp windows(handle, names) do
    next = fn name, {start, names} ->
      {first, last} = handle.tensors[name].data_offsets

      if joins?(handle, name, names) and last - start <= @window,
        do: {:cont, {start, [name | names]}},
        else: {:cont, Enum.reverse(names), {first, [name]}}
    end

    Enum.chunk_while(names, {0, []}, next, fn {_start, names} -> {:cont, Enum.reverse(names), nil} end)
  end

  # Whether a tensor lies behind the last one.
  defp joins?(_handle, _name, []), do: false

  defp joins?(handle, name, [before | _names]) do
    handle.weight_map[name] == handle.weight_map[before] and
      elem(handle.tensors[name].data_offsets, 0) == elem(handle.tensors[before].data_offsets, 1)
  end

  defp window(_handle, []), do: []

  defp window(handle, [name]) do
    case read(handle, name, nil) do
      {:ok, bytes, tensor} -> [{name, tensor, bytes}]
      {:error, error} -> raise error
    end
  end

  defp window(handle, [name | _names] = names) do
    {file, start} = Source.file(handle, name)
    {first, _end} = handle.tensors[name].data_offsets
    {_start, last} = handle.tensors[List.last(names)].data_offsets
    bytes = Error.unwrap!(RandomAccess.read(file, start + first, last - first))

    for name <- names do
      {begin, end_} = handle.tensors[name].data_offsets
      # A copy, because a part of the window would keep all of it in memory.
      {name, handle.tensors[name], :binary.copy(binary_part(bytes, begin - first, end_ - begin))}
    end
  end

  defp slice(tensor, _name, nil), do: {:ok, tensor}

  defp slice(%{shape: [count | inner]} = tensor, name, first..last//1 = rows) do
    # As in `Enum.slice/2`, negative numbers count from the end.
    [first, last] = for row <- [first, last], do: if(row < 0, do: count + row, else: row)
    {start, end_} = tensor.data_offsets

    cond do
      first < 0 or last < first or last >= count ->
        outside(name, tensor, rows)

      Dtype.bits(tensor.dtype) == nil ->
        message = "tensor #{Names.shown(name)} has a type of unknown size; read all of it"
        {:error, Error.new(:bad_request, message)}

      rem(Dtype.bits(tensor.dtype) * Enum.product(inner), 8) != 0 ->
        {:error,
         Error.new(
           :bad_request,
           "a row of tensor #{Names.shown(name)} does not end at a byte; read all of it"
         )}

      true ->
        row = div(end_ - start, count)
        shape = [last - first + 1 | inner]
        offsets = {start + first * row, start + (last + 1) * row}
        {:ok, %{tensor | shape: shape, data_offsets: offsets, parameter_count: Enum.product(shape)}}
    end
  end

  defp slice(%{shape: []}, name, %Range{}),
    do: {:error, Error.new(:bad_request, "tensor #{Names.shown(name)} is a scalar, which has no rows")}

  defp slice(_tensor, _name, rows) do
    raise ArgumentError, "expected option :rows to be like 0..9 or 100..-1//1, got: #{Options.shown(rows)}"
  end

  defp outside(name, %{shape: [count | _inner]}, rows) do
    message = "tensor #{Names.shown(name)} has #{Brief.count(count, "rows")}, not those of #{inspect(rows)}"
    {:error, Error.new(:bad_request, message)}
  end
end
