defmodule HfHub.Spool do
  # Contents as native code reads them. Streams are written to temporary files, which are kept until they have been
  # uploaded: the length of a body, and for a commit the hash of a file, must be known before its first byte is sent, and
  # it may be sent again.
  @moduledoc false

  alias HfHub.Commit.Operation
  alias HfHub.Config.Source
  alias HfHub.Error

  @typedoc "Content as native code reads it, and its id if that is known."
  @type source :: %{content: {:path, Path.t()} | {:binary, binary()}, oid: String.t() | nil}

  @doc """
  Calls `run` with what `convert` returns for each item and its `source`, and removes the temporary files after it.
  `content` returns the content of an item, or `nil` if it needs no source. The first error ends all.
  """
  @spec with_sources(
          [item],
          (item -> Operation.content() | nil),
          (item, source() | nil -> {:ok, value} | {:error, Error.t()}),
          ([value] -> result)
        ) :: result | {:error, Error.t()}
        when item: term(), value: term(), result: term()
  def with_sources(items, content, convert, run), do: each(items, {content, convert, run}, [])

  defp each([], {_content, _convert, run}, values), do: run.(Enum.reverse(values))

  # Nested, so that the files are also removed if a later stream raises.
  defp each([item | rest], {content, _convert, _run} = calls, values) do
    case content.(item) do
      {:stream, stream} -> guarded(&with_stream(stream, &1, item, rest, calls, values))
      content -> convert(item, source(content), rest, calls, values)
    end
  end

  defp with_stream(stream, path, item, rest, calls, values) do
    with {:ok, source} <- hold(stream, path), do: convert(item, source, rest, calls, values)
  end

  defp convert(item, source, rest, {_content, convert, _run} = calls, values) do
    with {:ok, value} <- convert.(item, source), do: each(rest, calls, [value | values])
  end

  defp source(nil), do: nil
  defp source({:path, path}), do: %{content: {:path, Source.expand(path)}, oid: nil}
  defp source({:binary, bytes}), do: %{content: {:binary, IO.iodata_to_binary(bytes)}, oid: nil}

  # Calls `run` with the path of a new file, which is removed after it, also if this process is killed.
  defp guarded(run) do
    path = Path.join(System.tmp_dir!(), "hf_hub_upload_#{System.pid()}_#{random()}")
    owner = self()
    guard = spawn(fn -> guard(Process.monitor(owner), path) end)

    try do
      run.(path)
    after
      File.rm(path)
      send(guard, :removed)
    end
  end

  defp guard(monitor, path) do
    receive do
      {:DOWN, ^monitor, :process, _owner, _reason} -> File.rm(path)
      :removed -> :ok
    end
  end

  # Writes the stream to the file and hashes it.
  defp hold(stream, path) do
    case :file.open(path, [:write, :exclusive, :raw, :binary, {:delayed_write, 1_048_576, 1000}]) do
      {:ok, file} ->
        # All users can read the temporary folder.
        File.chmod(path, 0o600)
        fill(file, path, stream)

      {:error, reason} ->
        {:error, unkept(path, reason)}
    end
  end

  defp fill(file, path, stream) do
    hash = Enum.reduce(stream, :crypto.hash_init(:sha256), &write(&1, &2, file))
    with :ok <- :file.close(file), do: {:ok, %{content: {:path, path}, oid: hex(:crypto.hash_final(hash))}}
  catch
    kind, reason ->
      :file.close(file)

      case {kind, reason} do
        {:throw, {:unkept, posix}} -> {:error, unkept(path, posix)}
        _other -> :erlang.raise(kind, reason, __STACKTRACE__)
      end
  else
    {:ok, source} -> {:ok, source}
    {:error, reason} -> {:error, unkept(path, reason)}
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
