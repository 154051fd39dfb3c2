# Creates a branch and a tag, commits to the branch, and downloads from each revision.
Code.require_file("support/example.exs", __DIR__)
Example.start()

repo = Example.new_repo("hf-hub-example-branches")
{:ok, _info} = HfHub.Commit.upload_file({:binary, "first"}, "notes.txt", repo)

{:ok, tag} = HfHub.Git.create_tag(repo, "v1.0", message: "First release")
IO.puts("created the tag #{tag.name}")

{:ok, branch} = HfHub.Git.create_branch(repo, "experiment", revision: "v1.0")
IO.puts("created the branch #{branch.name}")

{:ok, _info} = HfHub.Commit.upload_file({:binary, "second"}, "notes.txt", repo, revision: "experiment")

for revision <- ["main", "v1.0", "experiment"] do
  path = HfHub.Download.hf_hub_download!(repo_id: repo, filename: "notes.txt", revision: revision)
  IO.puts("#{revision}: #{File.read!(path)}")
end

{:ok, refs} = HfHub.Git.list_refs(repo)
IO.puts("branches: #{Enum.map_join(refs.branches, ", ", & &1.name)}")
IO.puts("tags: #{Enum.map_join(refs.tags, ", ", & &1.name)}")

{:ok, commits} = HfHub.Git.list_commits(repo, revision: "experiment")
for commit <- commits, do: IO.puts("#{String.slice(commit.id, 0, 8)} #{commit.title}")

:ok = HfHub.Git.delete_branch(repo, "experiment")
:ok = HfHub.Git.delete_tag(repo, "v1.0")
HfHub.Repo.delete!(repo)
