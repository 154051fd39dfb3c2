# One call of this library; prints the microseconds it took. The twin of peer.py.
# Usage: elixir -pa EBIN ours.exs large|small|warm ENDPOINT CACHE COMMIT, or elixir -pa EBIN ours.exs version
import HfHub.Download

calls = 1_000

microseconds = fn work ->
  start = System.monotonic_time()
  work.()
  System.convert_time_unit(System.monotonic_time() - start, :native, :nanosecond) / 1_000
end

answer =
  case System.argv() do
    ["version"] ->
      "hf_hub #{HfHub.version()} (Elixir #{System.version()}, OTP #{System.otp_release()})"

    ["large", endpoint, cache, _commit] ->
      common = [endpoint: endpoint, cache_dir: cache]
      microseconds.(fn -> hf_hub_download!([repo_id: "bench/large", filename: "model.bin"] ++ common) end)

    ["small", endpoint, cache, _commit] ->
      microseconds.(fn -> snapshot_download!(repo_id: "bench/small", endpoint: endpoint, cache_dir: cache) end)

    ["warm", endpoint, cache, commit] ->
      file = [repo_id: "bench/small", filename: "file_0000.bin", revision: commit]
      hit = fn -> hf_hub_download!(file ++ [endpoint: endpoint, cache_dir: cache]) end
      hit.()
      microseconds.(fn -> for _ <- 1..calls, do: hit.() end) / calls
  end

IO.puts(answer)
