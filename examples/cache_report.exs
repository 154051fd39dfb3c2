# Shows what is in the cache: one file, the repositories, their revisions.
Code.require_file("support/example.exs", __DIR__)
Example.start()

repo_id = Example.model()
filename = "config.json"
{:ok, _path} = HfHub.Download.hf_hub_download(repo_id: repo_id, filename: filename)

IO.puts(
  "Is #{filename} cached? #{HfHub.Cache.cached?(repo_id: repo_id, filename: filename, repo_type: :model)}"
)

case HfHub.Cache.cache_path(repo_id: repo_id, filename: "never_requested.json") do
  {:ok, path} -> IO.puts("Cache path: #{path}")
  {:error, %{kind: :not_cached}} -> IO.puts("never_requested.json is not cached")
end

{:ok, stats} = HfHub.Cache.cache_stats()
IO.puts("Total: #{stats.file_count} files, #{stats.total_size} bytes")
for repo <- stats.repos, do: IO.puts("Repository: #{repo.repo_id}, #{repo.size} bytes")

{:ok, report} = HfHub.Cache.scan()

for repo <- report.repos, revision <- repo.revisions do
  commit = String.slice(revision.commit_hash, 0, 8)
  IO.puts("Revision: #{repo.repo_id} #{commit} #{Enum.join(revision.refs, ", ")}")
end
