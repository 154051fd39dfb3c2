defmodule HfHub.Safetensors.Header do
  # Reads the header of a file. The engine parses and checks it: nothing in it is trusted.
  @moduledoc false

  alias HfHub.{Brief, Decode, Error, Native, RandomAccess}
  alias HfHub.Safetensors.{FileMetadata, Tensor}

  @enforce_keys [:metadata, :tensors, :start]
  defstruct [:metadata, :tensors, :start]

  @typedoc "A header; `start` is the position of the data in the file."
  @type t :: %__MODULE__{metadata: term(), tensors: %{String.t() => Tensor.t()}, start: pos_integer()}

  @max_length 100_000_000

  @doc "Returns the maximum number of bytes of a header in the format."
  @spec max_length() :: pos_integer()
  def max_length, do: @max_length

  @doc "Reads the header of an open file."
  @spec read(RandomAccess.t()) :: {:ok, t()} | {:error, Error.t()}
  def read(file) do
    with {:ok, text} <- text(file, fn _length -> true end),
         {:ok, header, _left} <- parse(file, text),
         do: {:ok, header}
  end

  @doc "Returns the text of a header, unless `allowed?` denies one of its length."
  @spec text(RandomAccess.t(), (non_neg_integer() -> boolean())) :: {:ok, binary()} | {:error, Error.t()}
  def text(file, allowed?) do
    with {:ok, length} <- announced(file) do
      if allowed?.(length),
        do: RandomAccess.read(file, 8, length),
        else: {:error, invalid(file, "the headers of the model are too large together")}
    end
  end

  @doc """
  Parses the header of a file. `left` is the number of values that it may have; also returns how many the other files of
  the model may have.
  """
  @spec parse(RandomAccess.t(), binary(), non_neg_integer() | nil) ::
          {:ok, t(), non_neg_integer()} | {:error, Error.t()}
  def parse(file, text, left \\ nil) do
    spec = %{text: text, content: file.size - 8 - byte_size(text), left: left}

    case Native.run(:parse_safetensors, spec) do
      {:ok, %{header: fields, left: left}} ->
        header = Decode.struct(FileMetadata, fields)
        start = 8 + byte_size(text)
        {:ok, %__MODULE__{metadata: header.metadata, tensors: header.tensors, start: start}, left}

      {:error, error} ->
        {:error, invalid(file, error.message)}
    end
  end

  defp announced(%{size: size} = file) when size < 8,
    do: {:error, invalid(file, "it is shorter than 8 bytes")}

  defp announced(%{size: size} = file) do
    with {:ok, <<length::little-64>>} <- RandomAccess.read(file, 0, 8) do
      if length <= @max_length and length <= size - 8,
        do: {:ok, length},
        else:
          {:error,
           invalid(
             file,
             "its header has an announced length of #{Brief.count(length, "bytes")}; the file has #{size}"
           )}
    end
  end

  defp invalid(file, why), do: RandomAccess.invalid(file, "safetensors", why)
end
