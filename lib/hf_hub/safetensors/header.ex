defmodule HfHub.Safetensors.Header do
  # Reads the header of a file. The engine parses and checks it: nothing in it is trusted.
  @moduledoc false

  alias HfHub.{Decode, Error, Native, RandomAccess}
  alias HfHub.Safetensors.{FileMetadata, Tensor}

  @enforce_keys [:metadata, :tensors, :start]
  defstruct [:metadata, :tensors, :start]

  @typedoc "A header; `start` is the position of the data in the file."
  @type t :: %__MODULE__{metadata: term(), tensors: %{String.t() => Tensor.t()}, start: pos_integer()}

  @max_length 100_000_000

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
    case Native.run(:parse_safetensors, %{text: text, content: content}) do
      {:ok, fields} ->
        file = Decode.struct(FileMetadata, fields)
        {:ok, %__MODULE__{metadata: file.metadata, tensors: file.tensors, start: 8 + byte_size(text)}}

      {:error, error} ->
        {:error, error.message}
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
end
