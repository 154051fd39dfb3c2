# Shows the progress of a download: as a line in the terminal, by a function, and in another process.
Code.require_file("support/example.exs", __DIR__)
Example.start()

# A cache of its own, so that there is something to download.
download = fn opts ->
  HfHub.Download.snapshot_download!([repo_id: Example.model(), cache_dir: Example.folder()] ++ opts)
end

# In a terminal and in Livebook, `true` draws a line.
download.(allow_patterns: "*.json", progress: true)

# A function is called at most ten times a second.
show = fn progress ->
  bytes = "#{progress.bytes_done} of #{progress.bytes_total || "?"} bytes"
  IO.puts("#{progress.activity}: #{progress.files_done} of #{progress.files_total} files, #{bytes}")
end

download.(progress: show, max_bandwidth: 40_000_000)

# A process, such as a LiveView, receives messages.
viewer =
  Task.async(fn ->
    receive do: ({:hf_hub_progress, progress} -> IO.puts("another process: #{progress.activity}"))
  end)

download.(allow_patterns: "vocab.txt", progress: viewer.pid)
Task.await(viewer)
