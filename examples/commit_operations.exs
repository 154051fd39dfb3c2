# Makes one commit of several operations, and refuses to commit on top of commits it has not seen.
Code.require_file("support/example.exs", __DIR__)
Example.start()

alias HfHub.Commit
alias HfHub.Commit.Operation

repo = Example.new_repo("hf-hub-example-commit")

{:ok, first} =
  Commit.create(
    repo,
    [
      Operation.add("config.json", {:binary, "{}\n"}),
      Operation.add("logs/1.log", {:binary, "one\n"}),
      Operation.add("vocab.txt", {:stream, Stream.map(1..3, &"token#{&1}\n")})
    ],
    commit_message: "Add files"
  )

{:ok, second} =
  Commit.create(
    repo,
    [Operation.copy("vocab.txt", "old/vocab.txt"), Operation.delete("logs/")],
    commit_message: "Tidy up",
    parent_commit: first.oid
  )

IO.puts("committed: #{second.commit_message}")
IO.puts("in the repository: #{repo |> HfHub.Api.list_repo_files!() |> Enum.join(", ")}")

late = [commit_message: "Too late", parent_commit: first.oid]
{:error, error} = Commit.create(repo, [Operation.delete("vocab.txt")], late)
IO.puts("the branch has moved: #{error.kind}")
HfHub.Repo.delete!(repo)
