# Uploads files: from disk, from memory and from a stream.
Code.require_file("support/example.exs", __DIR__)
Example.start()

repo = Example.new_repo("hf-hub-example-file")
path = Path.join(Example.folder(), "model.safetensors")
File.write!(path, :crypto.strong_rand_bytes(2_000_000))

{:ok, info} =
  HfHub.Commit.upload_file({:path, path}, "model.safetensors", repo, commit_message: "First weights")

IO.puts("committed: #{info.commit_message}, #{info.commit_url}")

{:ok, _info} = HfHub.Commit.upload_file({:binary, ~s({"layers": 2}\n)}, "config.json", repo)
lines = Stream.map(1..3, &"token#{&1}\n")
{:ok, info} = HfHub.Commit.upload_file({:stream, lines}, "vocab.txt", repo)

# The same content again makes no commit.
{:ok, again} = HfHub.Commit.upload_file({:path, path}, "model.safetensors", repo)
IO.puts("nothing to commit: #{not again.committed? and again.oid == info.oid}")

IO.puts("in the repository: #{repo |> HfHub.Api.list_repo_files!() |> Enum.join(", ")}")
HfHub.Repo.delete!(repo)
