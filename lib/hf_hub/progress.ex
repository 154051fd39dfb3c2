defmodule HfHub.Progress do
  @moduledoc """
  Progress of a download or an upload.

  Long-running functions accept `:progress`:

    * `true` shows a progress line in a terminal or in Livebook, and nothing elsewhere;
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

  ## Fields

    * `:activity` - `:resolving`, `:downloading`, `:stalled` (no bytes received for some seconds, or
      broken connections that are tried again; `:wait` is then the time until it gives up),
      `:waiting_for_lock` (another process downloads the same file, or uploads the same folder), `:retrying`, `:rate_limited`; for
      uploads `:hashing`, `:uploading`, `:committing` (they overlap; the most recently active one is shown);
      and finally `:done` or `:failed`
    * `:wait` - remaining pause in milliseconds, or `nil`
    * `:file` - the file that made progress most recently
    * `:bytes_done`, `:bytes_total` - bytes; the total is `nil` while a size is unknown. For uploads, bytes the Hub
      already has count as done
    * `:bytes_resumed` - bytes taken over from an earlier attempt
    * `:bytes_received` - bytes transferred over the network in either direction, including repeated ones
    * `:bytes_hashed` - bytes of local files read to compute their hashes
    * `:files_done`, `:files_total` - files; in an upload, a file is done once it is committed
    * `:speed` - recent bytes per second
    * `:eta` - estimated milliseconds until completion, or `nil`
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

  @type t :: %__MODULE__{
          activity: activity(),
          wait: non_neg_integer() | nil,
          file: String.t() | nil,
          bytes_done: non_neg_integer(),
          bytes_total: non_neg_integer() | nil,
          bytes_resumed: non_neg_integer(),
          bytes_received: non_neg_integer(),
          bytes_hashed: non_neg_integer(),
          files_done: non_neg_integer(),
          files_total: non_neg_integer(),
          speed: non_neg_integer(),
          eta: non_neg_integer() | nil
        }

  defstruct activity: :resolving,
            wait: nil,
            file: nil,
            bytes_done: 0,
            bytes_total: nil,
            bytes_resumed: 0,
            bytes_received: 0,
            bytes_hashed: 0,
            files_done: 0,
            files_total: 0,
            speed: 0,
            eta: nil
end
