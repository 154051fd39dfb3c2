# Frees disk space: removes unreferenced revisions, the least recently used ones, and a given one.
Code.require_file("support/example.exs", __DIR__)
Example.start()

# A cache of its own, because this example empties it.
cache = [cache_dir: Example.folder()]
repo = Example.new_repo("hf-hub-example-cache")

for text <- ["first", "second"] do
  {:ok, _info} = HfHub.Commit.upload_file({:binary, text}, "notes.txt", repo)
  {:ok, _path} = HfHub.Download.hf_hub_download([repo_id: repo, filename: "notes.txt"] ++ cache)
end

# No branch or tag refers to the first revision any more. By default, revisions are kept for an hour.
{:ok, plan} = HfHub.Cache.prune([older_than: 0, dry_run: true] ++ cache)
IO.puts("prune would remove #{length(plan.snapshots)} revision")
{:ok, deletion} = HfHub.Cache.prune([older_than: 0] ++ cache)
IO.puts("prune: #{inspect(deletion)}")

# A pin protects a revision.
commit = HfHub.Cache.pin!(repo, cache)
{:ok, _deletion} = HfHub.Cache.evict([target_size: 0] ++ cache)
{:ok, deletion} = HfHub.Cache.delete_revisions([commit], cache)
for kept <- deletion.kept, do: IO.puts("kept: #{String.slice(kept.commit, 0, 8)}, #{kept.reason}")

HfHub.Cache.unpin!(repo, cache)
{:ok, deletion} = HfHub.Cache.delete_revisions([commit], cache)
IO.puts("removed: #{inspect(deletion)}")
HfHub.Repo.delete!(repo)
