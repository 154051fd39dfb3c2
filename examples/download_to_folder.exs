# Downloads a repository into a plain folder instead of the cache, and updates that folder.
Code.require_file("support/example.exs", __DIR__)
Example.start()

folder = Path.join(Example.folder(), "model")
download = [repo_id: Example.model(), local_dir: folder, ignore_patterns: "*.safetensors"]

{:ok, plan} = HfHub.Download.snapshot_download([dry_run: true] ++ download)
IO.puts("would download #{Enum.count(plan, & &1.will_download?)} files")

{:ok, ^folder} = HfHub.Download.snapshot_download(download)
IO.puts("downloaded: #{folder |> File.ls!() |> Enum.sort() |> Enum.join(", ")}")

# The second call replaces what has changed, here a file that was edited.
File.write!(Path.join(folder, "config.json"), "edited")
{:ok, ^folder} = HfHub.Download.snapshot_download(download)
IO.puts("config.json is again: #{File.read!(Path.join(folder, "config.json"))}")
