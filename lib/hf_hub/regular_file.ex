defmodule HfHub.RegularFile do
  # Reads small files in folders that other users may write to. Opening a named pipe there would block until a
  # writer opens it, and reading a device may never end.
  @moduledoc false

  @limit 1_000_000

  @doc "Returns the first bytes of a file; `:eftype` if it is a pipe, a device or a folder."
  @spec read(Path.t(), pos_integer()) :: {:ok, binary()} | {:error, :file.posix() | :eftype}
  def read(path, limit \\ @limit) do
    # Raw, because each call reads the token: the file server would serialize all calls of the VM.
    case :file.read_file_info(path, [:raw]) do
      {:ok, info} when elem(info, 2) == :regular -> read_open(:file.open(path, [:read, :raw, :binary]), limit)
      {:ok, _info} -> {:error, :eftype}
      {:error, reason} -> {:error, reason}
    end
  end

  @doc """
  Returns text as UTF-8 without its byte order mark; `:error` if it is not text. Windows PowerShell writes UTF-16.
  """
  @spec text(binary()) :: {:ok, String.t()} | :error
  def text(bytes) do
    {encoding, length} = :unicode.bom_to_encoding(bytes)
    encoding = if length == 0, do: :utf8, else: encoding

    case :unicode.characters_to_binary(binary_part(bytes, length, byte_size(bytes) - length), encoding) do
      text when is_binary(text) -> {:ok, text}
      _damaged -> :error
    end
  end

  defp read_open({:error, reason}, _limit), do: {:error, reason}

  defp read_open({:ok, file}, limit) do
    bytes = :file.read(file, limit)
    :file.close(file)
    if bytes == :eof, do: {:ok, ""}, else: bytes
  end
end
