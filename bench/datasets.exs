# Reads all rows of a Parquet file of a dataset on a Hub, streamed, several times; prints the milliseconds of each. See
# datasets.py. Usage: HF_ENDPOINT=… elixir -pa EBIN datasets.exs REPO ROUNDS
[repo, rounds] = System.argv()

for _round <- 1..String.to_integer(rounds) do
  # Each round in a process of its own, whose rows are gone at its end.
  read = fn -> repo |> HfHub.Datasets.load!(split: "train", stream: true, as: :rows) |> Enum.count() end
  start = System.monotonic_time(:microsecond)
  true = read |> Task.async() |> Task.await(:infinity) > 0
  IO.puts((System.monotonic_time(:microsecond) - start) / 1_000)
end
