defmodule HfHub.Commit.Spool do
  # Contents that come in pieces, kept in temporary files until they have been uploaded: what they
  # are must be known before the first byte is sent.
  @moduledoc false

  alias HfHub.Error

  @typedoc "A file on disk and what is known of it."
  @type t :: %{path: Path.t(), sha256: String.t()}

  @doc "Writes the pieces to a file, hashed on the way. The file has to be removed by `drop/1`."
  @spec hold(Enumerable.t()) :: {:ok, t()} | {:error, Error.t()}
  def hold(stream) do
    path = Path.join(System.tmp_dir!(), "hf_hub_upload_#{System.pid()}_#{random()}")

    case :file.open(path, [:write, :exclusive, :raw, :binary, {:delayed_write, 1_048_576, 1000}]) do
      {:ok, file} ->
        # Temporary folders are everybody's, and the content may not be.
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
      raise ArgumentError, "expected the pieces of a stream to be iodata; one of them is something else"
  end

  defp unkept(path, reason) do
    Error.new(:io, "cannot keep the stream that is to be uploaded in `#{path}`",
      reason: reason |> :file.format_error() |> to_string()
    )
  end

  defp hex(bytes), do: Base.encode16(bytes, case: :lower)
  defp random, do: Base.url_encode64(:crypto.strong_rand_bytes(9))
end
