defmodule HfHub.Progress do
  @moduledoc """
  Progress of a download or an upload.

  Long-running functions accept `:progress`:

    * `true` shows a progress line in a terminal, a bar in Livebook where Kino is loaded (a line otherwise), and nothing
      elsewhere;
    * a function of arity 1 is called with a `HfHub.Progress` in the calling process;
    * a pid receives `{:hf_hub_progress, %HfHub.Progress{}}`.

  At most ten reports are sent per second, and none while the previous one is still being handled.
  The last one has the activity `:done` or `:failed`.

      parent = self()
      Task.async(fn ->
        HfHub.Download.snapshot_download(repo_id: "openai-community/gpt2", progress: parent)
      end)

      receive do
        {:hf_hub_progress, progress} -> progress.bytes_done
      end
  """

  @type activity ::
          :resolving
          | :downloading
          | :hashing
          | :uploading
          | :committing
          | :stalled
          | :waiting_for_lock
          | :retrying
          | :rate_limited
          | :done
          | :failed

  use HfHub.Schema,
    activity:
      {{:type, HfHub.Progress, :activity},
       "`:resolving`, `:downloading`, `:stalled` (no bytes received for some seconds, or broken connections that are " <>
         "tried again; `:wait` is then the time until it gives up), `:waiting_for_lock` (another process downloads the " <>
         "same file, or uploads the same folder), `:retrying`, `:rate_limited`; for uploads `:hashing`, `:uploading`, " <>
         "`:committing` (they overlap; the most recently active one is shown); and finally `:done` or `:failed`",
       default: :resolving},
    wait: {{:or, [:integer, nil]}, "remaining pause in milliseconds"},
    file: {{:or, [:string, nil]}, "file that made progress most recently"},
    bytes_done: {:integer, "bytes done; for uploads, bytes the Hub already has included", default: 0},
    bytes_total: {{:or, [:integer, nil]}, "bytes in total; `nil` while a size is unknown"},
    bytes_resumed: {:integer, "bytes taken over from an earlier attempt", default: 0},
    bytes_received:
      {:integer, "bytes transferred over the network in either direction, repeated ones included", default: 0},
    bytes_hashed: {:integer, "bytes of local files read to compute their hashes", default: 0},
    bytes_deduplicated:
      {:integer, "bytes of uploaded files that the Hub's Xet storage had before, in any file", default: 0},
    files_done:
      {:integer, "number of files done; in an upload, a file is done once it is committed", default: 0},
    files_total: {:integer, "number of files in total", default: 0},
    speed: {:integer, "recent bytes per second", default: 0},
    eta: {{:or, [:integer, nil]}, "estimated milliseconds until completion"}
end
