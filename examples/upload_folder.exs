# Uploads a folder in one commit, then a changed copy of it, which deletes what is gone.
Code.require_file("support/example.exs", __DIR__)
Example.start()

repo = Example.new_repo("hf-hub-example-folder")

folder =
  Example.write(Example.folder(), %{
    "config.json" => "{}\n",
    "model.safetensors" => :crypto.strong_rand_bytes(1_000_000),
    "logs/1.log" => "one\n",
    "scratch.tmp" => "not for others\n"
  })

{:ok, info} =
  HfHub.Commit.upload_folder(folder, repo, commit_message: "First weights", ignore_patterns: "*.tmp")

IO.puts("committed: #{info.commit_url}")

File.rename!(Path.join(folder, "logs/1.log"), Path.join(folder, "logs/2.log"))

{:ok, _info} =
  HfHub.Commit.upload_folder(folder, repo, ignore_patterns: "*.tmp", delete_patterns: "logs/*.log")

IO.puts("in the repository: #{repo |> HfHub.Api.list_repo_files!() |> Enum.join(", ")}")
HfHub.Repo.delete!(repo)
