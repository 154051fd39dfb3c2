defmodule HfHub.Spool do
  # Writes streams to temporary files, which are kept until they have been uploaded: the length of a body, and for a
  # commit the hash of a file, must be known before its first byte is sent, and it may be sent again.
  @moduledoc false

  alias HfHub.Error

  @typedoc "A temporary file and its hash."
  @type t :: %{path: Path.t(), sha256: String.t()}

  @doc "Writes the stream to a temporary file and hashes it. The caller must remove the file with `drop/1`."
  @spec hold(Enumerable.t()) :: {:ok, t()} | {:error, Error.t()}
  def hold(stream) do
    path = Path.join(System.tmp_dir!(), "hf_hub_upload_#{System.pid()}_#{random()}")

    case :file.open(path, [:write, :exclusive, :raw, :binary, {:delayed_write, 1_048_576, 1000}]) do
      {:ok, file} ->
        # All users can read the temporary folder.
        File.chmod(path, 0o600)
        fill(file, path, stream)

      {:error, reason} ->
        {:error, unkept(path, reason)}
    end
  end

  @doc "Removes the files."
  @spec drop([t()]) :: :ok
  def drop(spools), do: Enum.each(spools, &File.rm(&1.path))

  defp fill(file, path, stream) do
    hash = Enum.reduce(stream, :crypto.hash_init(:sha256), &write(&1, &2, file))
    with :ok <- :file.close(file), do: {:ok, %{path: path, sha256: hex(:crypto.hash_final(hash))}}
  catch
    kind, reason ->
      :file.close(file)
      File.rm(path)

      case {kind, reason} do
        {:throw, {:unkept, posix}} -> {:error, unkept(path, posix)}
        _other -> :erlang.raise(kind, reason, __STACKTRACE__)
      end
  else
    {:ok, spool} ->
      {:ok, spool}

    {:error, reason} ->
      File.rm(path)
      {:error, unkept(path, reason)}
  end

  defp write(piece, hash, file) do
    hash = hashed!(hash, piece)
    with {:error, reason} <- :file.write(file, piece), do: throw({:unkept, reason})
    hash
  end

  defp hashed!(hash, piece) do
    :crypto.hash_update(hash, piece)
  rescue
    _not_iodata in [ArgumentError, ErlangError] ->
      raise ArgumentError, "expected the elements of the stream to be iodata, got another term"
  end

  defp unkept(path, reason) do
    Error.new(:io, "cannot write the stream to upload to the temporary file `#{path}`",
      reason: reason |> :file.format_error() |> to_string()
    )
  end

  defp hex(bytes), do: Base.encode16(bytes, case: :lower)
  defp random, do: Base.url_encode64(:crypto.strong_rand_bytes(9))
end
