# Streams a large file without writing it to disk, and reads a few bytes of it.
Code.require_file("support/example.exs", __DIR__)
Example.start()

file = [repo_id: Example.model(), filename: "model.safetensors", repo_type: :model]

case HfHub.Download.download_stream(file) do
  {:ok, stream} ->
    {hash, bytes, chunks} =
      Enum.reduce(stream, {:crypto.hash_init(:sha256), 0, 0}, fn chunk, {hash, bytes, chunks} ->
        {:crypto.hash_update(hash, chunk), bytes + byte_size(chunk), chunks + 1}
      end)

    IO.puts("Total chunks: #{chunks}")
    IO.puts("Total bytes: #{bytes}")
    IO.puts("SHA-256: #{hash |> :crypto.hash_final() |> Base.encode16(case: :lower)}")

  {:error, reason} ->
    IO.puts("Error: #{inspect(reason)}")
end

# A range requests only these bytes: here the size of the header of the file.
{:ok, stream} = HfHub.Download.download_stream([range: 0..7] ++ file)
<<size::little-64>> = Enum.join(stream)
IO.puts("the header has #{size} bytes")
