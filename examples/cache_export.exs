# Takes a model to a machine without a network: exports it to one file, imports it there.
Code.require_file("support/example.exs", __DIR__)
Example.start()

repo = Example.model()
{:ok, _folder} = HfHub.Download.snapshot_download(repo_id: repo, allow_patterns: ["*.json", "vocab.txt"])

archive = Path.join(Example.folder(), "model.tar")
{:ok, exported} = HfHub.Cache.export(archive, targets: [repo])
IO.puts("exported #{exported.files} files to #{Path.basename(archive)}")

there = Path.join(Example.folder(), "hub")
{:ok, imported} = HfHub.Cache.import(archive, cache_dir: there)
IO.puts("imported and verified #{imported.files} files")

{:ok, path} =
  HfHub.Download.hf_hub_download(
    repo_id: repo,
    filename: "config.json",
    cache_dir: there,
    local_files_only: true
  )

IO.puts("config.json without a network: #{String.trim(File.read!(path))}")
