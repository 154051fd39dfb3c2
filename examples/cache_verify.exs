# Hashes the files of the cache again, and downloads a damaged one.
Code.require_file("support/example.exs", __DIR__)
Example.start()

# A cache of its own, because this example damages a file.
cache = Example.folder()
repo = Example.model()
{:ok, folder} = HfHub.Download.snapshot_download(repo_id: repo, allow_patterns: "*.json", cache_dir: cache)

{:ok, found} = HfHub.Cache.validate_integrity(cache_dir: cache)
IO.puts("#{found.valid_files} of #{found.total_files} files are valid")

path = Path.join(folder, "config.json")
File.write!(path, "damaged")
{:ok, found} = HfHub.Cache.validate_integrity(cache_dir: cache)
for problem <- found.problems, do: IO.puts("#{problem.filename} is #{problem.status}")

{:ok, found} = HfHub.Cache.validate_integrity(cache_dir: cache, repair: true)
IO.puts("repaired: #{HfHub.Cache.Integrity.sound?(found)}")
IO.puts("valid again: #{File.read!(path) != "damaged"}")
