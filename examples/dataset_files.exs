# Downloads the files of one split of a dataset.
Code.require_file("support/example.exs", __DIR__)
Example.start()

repo_id = Example.dataset()
split = "train"

config =
  case HfHub.Api.dataset_configs(repo_id) do
    {:ok, [first | _]} -> first
    {:ok, []} -> "default"
    {:error, reason} -> IO.puts("Error: #{inspect(reason)}") && "default"
  end

case HfHub.DatasetFiles.resolve(repo_id, config, split) do
  {:ok, files} ->
    IO.puts("Config: #{config}, split: #{split}")
    for file <- files, do: IO.puts("File: #{file}")

    {:ok, folder} =
      HfHub.Download.snapshot_download(repo_id: repo_id, repo_type: :dataset, allow_patterns: files)

    IO.puts("Downloaded: #{Enum.all?(files, &File.exists?(Path.join(folder, &1)))}")

  {:error, reason} ->
    IO.puts("Error: #{inspect(reason)}")
end
