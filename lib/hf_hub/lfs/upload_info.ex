defmodule HfHub.LFS.UploadInfo do
  @moduledoc """
  What the Hub asks about a file before its upload. Python: `UploadInfo`.
  """

  alias HfHub.{Brief, Download, Error, LFS, Options}

  @enforce_keys [:sha256, :size, :sample]

  use HfHub.Schema,
    sha256: {:binary, "SHA-256 of the content, as 32 bytes; `HfHub.LFS.oid/1` returns it in hex"},
    size: {:integer, "size of the content, in bytes"},
    sample: {:binary, "first 512 bytes of the content, or all of it"}

  @sample 512

  @doc """
  Returns the information about a file.

  The file is hashed piece by piece, so memory use does not grow with its size. Raises `HfHub.Error` of kind `:io` if the
  file cannot be read.

  ## Examples

      iex> path = Path.join(System.tmp_dir!(), "hf_hub_doc_\#{System.unique_integer([:positive])}")
      iex> File.write!(path, "hello")
      iex> HfHub.LFS.UploadInfo.from_path(path) == HfHub.LFS.UploadInfo.from_binary("hello")
      true
  """
  @doc python: "UploadInfo.from_path"
  @spec from_path(Path.t()) :: t()
  def from_path(path) do
    sha256 = path |> Download.compute_sha256!() |> Base.decode16!(case: :lower)
    {size, sample} = start!(path)
    %__MODULE__{sha256: sha256, size: size, sample: sample}
  end

  @doc """
  Returns the information about bytes in memory.

  ## Examples

      iex> HfHub.LFS.UploadInfo.from_binary("hello").size
      5
  """
  @doc python: "UploadInfo.from_bytes"
  @spec from_binary(binary()) :: t()
  def from_binary(bytes) when is_binary(bytes) do
    sample = binary_part(bytes, 0, min(byte_size(bytes), @sample))
    # A copy: a part would keep all the bytes in memory.
    %__MODULE__{
      sha256: :crypto.hash(:sha256, bytes),
      size: byte_size(bytes),
      sample: :binary.copy(sample)
    }
  end

  defp start!(path) do
    with {:ok, file} <- :file.open(Path.expand(path), [:read, :raw, :binary]),
         found = size_and_sample(file),
         :ok <- :file.close(file),
         {:ok, size, sample} <- found do
      {size, sample}
    else
      {:error, reason} ->
        raise Error.new(:io, "cannot read #{Options.shown(path)}", reason: "#{:file.format_error(reason)}")
    end
  end

  defp size_and_sample(file) do
    with {:ok, size} <- :file.position(file, :eof) do
      case :file.pread(file, 0, @sample) do
        {:ok, sample} -> {:ok, size, sample}
        :eof -> {:ok, size, ""}
        error -> error
      end
    end
  end

  # Without the sample: file contents must not appear in a log.
  defimpl Inspect do
    def inspect(info, _opts), do: Brief.line(info, [LFS.oid(info), Brief.size(info.size)])
  end
end
