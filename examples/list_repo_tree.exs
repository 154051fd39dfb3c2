# Lists the files and folders of a repository, and its large files.
Code.require_file("support/example.exs", __DIR__)
Example.start()

case HfHub.Api.list_repo_tree(Example.dataset(), repo_type: :dataset, recursive: false) do
  {:ok, entries} ->
    IO.puts("#{length(entries)} entries in the root")
    for entry <- Enum.take(entries, 20), do: IO.puts("#{entry.type}\t#{entry.path}")

  {:error, reason} ->
    IO.puts("Error: #{inspect(reason)}")
end

large =
  Example.model()
  |> HfHub.Api.stream_repo_tree(recursive: true)
  |> Enum.filter(&(&1.type == :file and &1.size > 1_000_000))

for file <- large, do: IO.puts("large file: #{file.path}, SHA-256 #{file.lfs.sha256}")
