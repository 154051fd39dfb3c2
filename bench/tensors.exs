# Reads all tensors of a safetensors file into binaries, several times, or one tensor of a repository; prints the
# milliseconds of each round. See tensors.py. Usage: elixir -pa EBIN tensors.exs (PATH ROUNDS | --remote REPO NAME SIZE)
alias HfHub.Safetensors

# Each round in a process of its own, whose binaries are gone at its end.
timed = fn read, expected ->
  start = System.monotonic_time(:microsecond)
  size = read |> Task.async() |> Task.await(:infinity)
  if expected && size != expected, do: raise("read #{size} bytes, expected #{expected}")
  IO.puts((System.monotonic_time(:microsecond) - start) / 1_000)
end

case System.argv() do
  ["--remote", repo, name, size] ->
    read = fn -> repo |> Safetensors.open!() |> Safetensors.tensor!(name) |> byte_size() end
    timed.(read, String.to_integer(size))

  [path, rounds] ->
    read = fn ->
      model = Safetensors.open!(path)
      bytes = for name <- Map.keys(model.tensors), do: Safetensors.tensor!(model, name)
      Safetensors.close(model)
      bytes |> Enum.map(&byte_size/1) |> Enum.sum()
    end

    for _round <- 1..String.to_integer(rounds) do
      timed.(read, nil)
      # The memory of this round is freed meanwhile, which Python does between its rounds.
      Process.sleep(500)
    end
end
