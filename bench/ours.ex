# One call of this library; prints the microseconds it took. The twin of peer.py. A module, which `run` compiles: a
# script would be compiled in each process, which took a third of the processor time of starting it.
# Usage: elixir -pa EBIN -e "HfHub.Bench.Ours.main()" file|xet_file|local_dir|half|snapshot|hit|scan|verify ENDPOINT
# CACHE REPO COMMIT, upload|folder|push ENDPOINT FOLDER REPO TOKEN, or version
defmodule HfHub.Bench.Ours do
  @moduledoc false
  import HfHub.Download

  @calls 1_000

  def main, do: System.argv() |> answer() |> IO.puts()

  defp answer(arguments) do
    case arguments do
      ["version"] ->
        "hf_hub #{HfHub.version()} (Elixir #{System.version()}, OTP #{System.otp_release()})"

      ["file", endpoint, cache, repo, _commit] ->
        file = [repo_id: repo, filename: "model.bin", endpoint: endpoint, cache_dir: cache]
        microseconds(fn -> hf_hub_download!(file) end)

      ["xet_file", endpoint, cache, repo, _commit] ->
        file = [repo_id: repo, filename: "model.bin", endpoint: endpoint, cache_dir: cache, xet: true]
        microseconds(fn -> hf_hub_download!(file) end)

      ["local_dir", endpoint, folder, repo, _commit] ->
        file = [repo_id: repo, filename: "model.bin", endpoint: endpoint, local_dir: folder]
        microseconds(fn -> hf_hub_download!(file) end)

      # Ends without cleaning up when half of the file has arrived, as a crash does.
      ["half", endpoint, cache, repo, _commit] ->
        halt = fn progress ->
          if progress.bytes_done * 2 >= progress.bytes_total, do: :erlang.halt(0, flush: false)
        end

        hf_hub_download!(
          repo_id: repo,
          filename: "model.bin",
          endpoint: endpoint,
          cache_dir: cache,
          progress: halt
        )

        raise "the whole file has arrived before the progress was reported"

      ["snapshot", endpoint, cache, repo, _commit] ->
        microseconds(fn -> snapshot_download!(repo_id: repo, endpoint: endpoint, cache_dir: cache) end)

      ["hit", endpoint, cache, repo, commit] ->
        file = [repo_id: repo, filename: "model.bin", revision: commit]
        hit = fn -> hf_hub_download!(file ++ [endpoint: endpoint, cache_dir: cache]) end
        hit.()
        microseconds(fn -> for _ <- 1..@calls, do: hit.() end) / @calls

      ["scan", _endpoint, cache, _repo, _commit] ->
        microseconds(fn -> HfHub.Cache.scan!(cache_dir: cache) end)

      ["verify", _endpoint, cache, _repo, _commit] ->
        microseconds(fn -> %{problems: []} = HfHub.Cache.validate_integrity!(cache_dir: cache) end)

      ["upload", endpoint, folder, repo, token] ->
        content = {:path, Path.join(folder, "model.bin")}

        microseconds(fn ->
          HfHub.Commit.upload_file!(content, "model.bin", repo, endpoint: endpoint, token: token)
        end)

      ["folder", endpoint, folder, repo, token] ->
        microseconds(fn -> HfHub.Commit.upload_folder!(folder, repo, endpoint: endpoint, token: token) end)

      # Neither a ledger nor a look at the result: the peer does without, too.
      ["push", endpoint, folder, repo, token] ->
        opts = [endpoint: endpoint, token: token, resumable: false, verify: false]
        microseconds(fn -> HfHub.Commit.upload_folder!(folder, repo, opts) end)
    end
  end

  defp microseconds(work) do
    start = System.monotonic_time()
    work.()
    System.convert_time_unit(System.monotonic_time() - start, :native, :nanosecond) / 1_000
  end
end
