defmodule HfHub.Safetensors.Header do
  # Reads and checks the header of a file: nothing in it is trusted. As in the format's own library, the tensors must
  # cover the data without gaps and overlaps.
  @moduledoc false

  alias HfHub.{Error, RandomAccess, StrictJson}
  alias HfHub.Safetensors.{Dtype, Tensor}

  @enforce_keys [:metadata, :tensors, :start]
  defstruct [:metadata, :tensors, :start]

  @typedoc "A header; `start` is the position of the data in the file."
  @type t :: %__MODULE__{metadata: term(), tensors: %{String.t() => Tensor.t()}, start: pos_integer()}

  @max_length 100_000_000
  @max_size 0x7FFFFFFFFFFFFFFF

  @doc "Reads the header of an open file."
  @spec read(RandomAccess.t()) :: {:ok, t()} | {:error, Error.t()}
  def read(file) do
    with {:ok, length} <- announced(file),
         {:ok, text} <- RandomAccess.read(file, 8, length),
         {:ok, header} <- parse(text, file.size - 8 - length) do
      {:ok, header}
    else
      {:error, why} when is_binary(why) -> {:error, RandomAccess.invalid(file, "safetensors", why)}
      {:error, error} -> {:error, error}
    end
  end

  @doc "Parses a header that is followed by so many bytes of data. The error is a phrase."
  @spec parse(binary(), non_neg_integer()) :: {:ok, t()} | {:error, String.t()}
  def parse(text, content) do
    with {:ok, %{} = entries} <- StrictJson.parse(text),
         {metadata, entries} = Map.pop(entries, "__metadata__"),
         {:ok, tensors} <- tensors(Map.to_list(entries), []),
         :ok <- cover(tensors, content) do
      {:ok, %__MODULE__{metadata: metadata || %{}, tensors: Map.new(tensors), start: 8 + byte_size(text)}}
    else
      {:ok, _list} -> {:error, "its header is not an object"}
      {:error, why} -> {:error, why}
    end
  end

  defp announced(%{size: size}) when size < 8, do: {:error, "it is shorter than 8 bytes"}

  defp announced(%{size: size} = file) do
    with {:ok, <<length::little-64>>} <- RandomAccess.read(file, 0, 8) do
      if length <= @max_length and length <= size - 8,
        do: {:ok, length},
        else: {:error, "its header has an announced length of #{length} bytes; the file has #{size}"}
    end
  end

  defp tensors([], found), do: {:ok, found}

  defp tensors([{name, entry} | rest], found) do
    case tensor(entry) do
      {:ok, tensor} -> tensors(rest, [{name, tensor} | found])
      {:error, why} -> {:error, "#{why} of tensor #{inspect(name, printable_limit: 100)}"}
    end
  end

  defp tensor(%{"dtype" => dtype, "shape" => shape, "data_offsets" => [first, last]})
       when is_binary(dtype) and is_list(shape) and is_integer(first) and is_integer(last) do
    with {:ok, count} <- count(shape, 1),
         :ok <- size(dtype, count, first, last) do
      {:ok, %Tensor{dtype: dtype, shape: shape, data_offsets: {first, last}, parameter_count: count}}
    end
  end

  defp tensor(_other), do: {:error, "invalid entry"}

  defp count([], count), do: {:ok, count}

  defp count([size | rest], count)
       when is_integer(size) and size in 0..@max_size and size * count <= @max_size,
       do: count(rest, size * count)

  defp count(_shape, _count), do: {:error, "invalid shape, or one that overflows,"}

  defp size(_dtype, _count, first, last) when first < 0 or last < first, do: {:error, "invalid offsets"}

  defp size(dtype, count, first, last) do
    bits = Dtype.bits(dtype)

    if bits == nil or bits * count == 8 * (last - first),
      do: :ok,
      else: {:error, "shape and size do not match"}
  end

  # Empty tensors may lie between others.
  defp cover(tensors, content) do
    ranges = tensors |> Enum.map(fn {_name, tensor} -> tensor.data_offsets end) |> Enum.sort()

    case Enum.reduce_while(ranges, 0, &next/2) do
      ^content ->
        :ok

      end_ when is_integer(end_) ->
        {:error, "its tensors have #{end_} bytes, and the file #{content}"}

      {:apart, first, expected} ->
        {:error, "data begins at #{first}, expected #{expected}: a gap or an overlap"}
    end
  end

  defp next({expected, last}, expected), do: {:cont, last}
  defp next({first, _last}, expected), do: {:halt, {:apart, first, expected}}
end
