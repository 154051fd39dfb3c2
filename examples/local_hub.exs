# Runs a Hub on this machine, for tests and for networks without access to the public one.
root = Path.join(System.tmp_dir!(), "hf_hub_example_local_hub_#{System.pid()}")
folder = Path.join(root, "my-model")
File.mkdir_p!(folder)
File.write!(Path.join(folder, "config.json"), "{}\n")

{:ok, hub} = HfHub.LocalHub.start_link(root: Path.join(root, "hub"))
endpoint = HfHub.LocalHub.endpoint(hub)
IO.puts("a Hub runs at #{endpoint}")

# An account gets a token, and a folder becomes a repository.
{:ok, token} = HfHub.LocalHub.command(hub, ["user", "add", "me"])
{:ok, commit} = HfHub.LocalHub.import_folder(hub, folder, "me/my-model")
IO.puts("me/my-model is at commit #{commit}")

at = [endpoint: endpoint, token: token]
{:ok, _info} = HfHub.Commit.upload_file({:binary, "hello"}, "notes.txt", "me/my-model", at)
cache = Path.join(root, "cache")
{:ok, snapshot} = HfHub.Download.snapshot_download([repo_id: "me/my-model", cache_dir: cache] ++ at)
IO.puts("downloaded: #{snapshot |> File.ls!() |> Enum.sort() |> Enum.join(", ")}")

# Other clients, such as the Python client, use it with these variables.
for {name, value} <- HfHub.LocalHub.environment(hub), do: IO.puts("export #{name}=#{value}")

HfHub.LocalHub.stop(hub)
File.rm_rf!(root)
