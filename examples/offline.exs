# Uses cached files without a network.
Code.require_file("support/example.exs", __DIR__)
Example.start()

repo = Example.model()
{:ok, path} = HfHub.Download.hf_hub_download(repo_id: repo, filename: "config.json")

# One call without a request:
config = [repo_id: repo, filename: "config.json"]
{:ok, ^path} = HfHub.Download.hf_hub_download([local_files_only: true] ++ config)
IO.puts("found without a request: #{Path.basename(path)}")

# All calls of this VM; config :hf_hub, offline: true does the same.
System.put_env("HF_HUB_OFFLINE", "1")
IO.puts("offline mode: #{HfHub.offline_mode?()}")
{:ok, ^path} = HfHub.Download.hf_hub_download(config)
{:error, missing} = HfHub.Download.hf_hub_download(repo_id: repo, filename: "never_requested.json")
IO.puts("a file that is not cached: #{missing.kind}")
{:error, error} = HfHub.Api.model_info(repo)
IO.puts("other calls: #{error.kind}")
System.delete_env("HF_HUB_OFFLINE")

# If the Hub does not respond, the cached copy is used, with a warning in the log.
{:ok, ^path} = HfHub.Download.hf_hub_download([endpoint: "http://127.0.0.1:9", retries: 0] ++ config)
IO.puts("found while the Hub is down: #{Path.basename(path)}")
