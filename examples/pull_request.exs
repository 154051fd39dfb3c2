# Opens a pull request, adds a commit to it, and downloads its files before it is merged.
Code.require_file("support/example.exs", __DIR__)
Example.start()

repo = Example.new_repo("hf-hub-example-pull-request")
{:ok, _info} = HfHub.Commit.upload_file({:binary, "{}\n"}, "config.json", repo)

{:ok, proposal} =
  HfHub.Commit.upload_file({:binary, ~s({"layers": 2}\n)}, "config.json", repo,
    create_pr: true,
    commit_message: "Name the number of layers",
    commit_description: "Loaders need it."
  )

IO.puts("opened pull request #{proposal.pr_num}: #{proposal.pr_url}")

revision = proposal.pr_revision
{:ok, _info} = HfHub.Commit.upload_file({:binary, "# Why\n"}, "docs/why.md", repo, revision: revision)
IO.puts("its files: #{repo |> HfHub.Api.list_repo_files!(revision: revision) |> Enum.join(", ")}")

{:ok, path} = HfHub.Download.hf_hub_download(repo_id: repo, filename: "config.json", revision: revision)
IO.puts("its config.json: #{String.trim(File.read!(path))}")

{:ok, path} = HfHub.Download.hf_hub_download(repo_id: repo, filename: "config.json")
IO.puts("that of main: #{String.trim(File.read!(path))}")
HfHub.Repo.delete!(repo)
