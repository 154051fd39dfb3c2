# Reads the first rows of a dataset on a Hub, streamed, several times; prints the milliseconds of each. See datasets.py.
# Usage: HF_ENDPOINT=… elixir -pa EBIN datasets.exs REPO ROUNDS ROWS
[repo, rounds, wanted] = System.argv()
wanted = String.to_integer(wanted)
opts = [split: "train", stream: true, as: :rows]

for _round <- 1..String.to_integer(rounds) do
  # Each round in a process of its own, whose rows are gone at its end.
  read = fn -> repo |> HfHub.Datasets.load!(opts) |> Stream.take(wanted) |> Enum.count() end
  start = System.monotonic_time(:microsecond)
  ^wanted = read |> Task.async() |> Task.await(:infinity)
  IO.puts((System.monotonic_time(:microsecond) - start) / 1_000)
end
