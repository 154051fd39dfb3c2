# Reads all tensors of a safetensors file into binaries, several times; prints the milliseconds of each. See tensors.py.
# Usage: elixir -pa EBIN tensors.exs PATH ROUNDS
alias HfHub.Safetensors

[path, rounds] = System.argv()

for _round <- 1..String.to_integer(rounds) do
  # Each round in a process of its own, whose binaries are gone at its end.
  read = fn ->
    model = Safetensors.open!(path)
    bytes = for name <- Map.keys(model.tensors), do: Safetensors.tensor!(model, name)
    Safetensors.close(model)
    bytes |> Enum.map(&byte_size/1) |> Enum.sum()
  end

  start = System.monotonic_time(:microsecond)
  true = read |> Task.async() |> Task.await(:infinity) > 0
  IO.puts((System.monotonic_time(:microsecond) - start) / 1_000)
  # The memory of this round is freed meanwhile, which Python does between its rounds.
  Process.sleep(500)
end
