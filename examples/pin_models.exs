# Pins a model by commit and hashes, and takes it to a machine without a network.
Code.require_file("support/example.exs", __DIR__)
Example.start()

folder = Example.folder()
lock = Path.join(folder, "hf_hub.lock")

# The same as `mix hf_hub.lock REPO --include "*.json" --include "*.safetensors"`.
{:ok, entry} = HfHub.Lock.pin(Example.model(), lock: lock, allow_patterns: ["*.json", "*.safetensors"])
IO.puts("pinned #{length(entry.files)} files of #{entry.repo_id} at #{String.slice(entry.commit, 0, 8)}")

# The same as `mix hf_hub.get`. The second call finds everything in the cache.
{:ok, [model]} = HfHub.Lock.get(lock: lock)
{:ok, [again]} = HfHub.Lock.get(lock: lock)
IO.puts("downloaded #{length(model.downloaded)} files, then #{length(again.downloaded)}")

# A folder for an image or a machine without a network; HfHub.Release.bundle/1 does this for a release.
bundle = Path.join(folder, "bundle")
{:ok, _snapshots} = HfHub.Release.write(bundle, lock: lock)

# Loads the models when a supervision tree starts, here from that folder.
[pinned, hub] = for name <- ["hf_hub.lock", "hub"], do: Path.join(bundle, name)
preload = {HfHub.Preload, name: Example.Models, lock: pinned, cache_dir: hub, local_files_only: true}
{:ok, _supervisor} = Supervisor.start_link([preload], strategy: :one_for_one)
{:ok, %{} = folders} = HfHub.Preload.await(Example.Models, 60_000)
IO.puts("ready: #{HfHub.Preload.ready?(Example.Models)}, #{map_size(folders)} model")

# A file that is not what the lock file pins is an error.
text = File.read!(lock)
[hash | _others] = for file <- entry.files, file.algorithm == :sha256, do: file.hash
File.write!(lock, String.replace(text, hash, String.duplicate("0", 64)))
{:error, error} = HfHub.Lock.get(lock: lock)
IO.puts("another hash: #{error.kind}")
