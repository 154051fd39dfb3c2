# Interrupts a download and continues it: the bytes of the first attempt are not downloaded again.
Code.require_file("support/example.exs", __DIR__)
Example.start()

# A cache of its own, so that the file is not there yet.
file = [repo_id: Example.model(), filename: "model.safetensors", cache_dir: Example.folder()]

# The limit leaves time to interrupt it.
slowly = file ++ [max_bandwidth: 5_000_000, progress: self()]
task = Task.async(fn -> HfHub.Download.hf_hub_download(slowly) end)

receive do
  {:hf_hub_progress, %{activity: :downloading, bytes_done: done}} when done > 0 ->
    Task.shutdown(task, :brutal_kill)
    IO.puts("killed the process after #{done} bytes")
end

report = fn
  %{activity: :done} = progress ->
    IO.puts("continued at byte #{progress.bytes_resumed}, received #{progress.bytes_received} bytes more")

  _earlier ->
    :ok
end

{:ok, path} = HfHub.Download.hf_hub_download(file ++ [progress: report])
IO.puts("complete and verified: #{File.stat!(path).size} bytes")
