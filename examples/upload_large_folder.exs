# Uploads a folder of many files in several commits, interrupts the upload and continues it.
Code.require_file("support/example.exs", __DIR__)
Example.start()

repo = Example.new_repo("hf-hub-example-large-folder", repo_type: :dataset)
shards = for n <- 1..40, into: %{}, do: {"data/shard-#{n}.bin", :crypto.strong_rand_bytes(50_000)}
folder = Example.write(Example.folder(), shards)

upload = fn progress ->
  HfHub.Commit.upload_large_folder(folder, repo, repo_type: :dataset, num_workers: 4, progress: progress)
end

# An upload stops when its process exits, here at the first report of its progress.
parent = self()
task = Task.async(fn -> upload.(parent) end)
receive do: ({:hf_hub_progress, progress} -> IO.puts("killed while #{progress.activity}"))
Task.shutdown(task, :brutal_kill)

# The second attempt sends what is missing.
{:ok, commits} = upload.(true)
IO.puts("second attempt: #{length(commits)} commits")

files = HfHub.Api.list_repo_files!(repo, repo_type: :dataset)
IO.puts("#{Enum.count(files, &String.starts_with?(&1, "data/"))} of 40 files are in the repository")
HfHub.Repo.delete!(repo, repo_type: :dataset)
