# Shows the metadata of a dataset, with its files and their sizes.
Code.require_file("support/example.exs", __DIR__)
Example.start()

# Sizes are included with files_metadata: true.
case HfHub.Api.dataset_info(Example.dataset(), files_metadata: true) do
  {:ok, info} ->
    IO.puts("ID: #{info.id}")
    IO.puts("Author: #{info.author || "none"}")
    IO.puts("Downloads: #{info.downloads}, likes: #{info.likes}")
    IO.puts("Tags: #{Enum.join(info.tags, ", ")}")
    IO.puts("Created: #{Calendar.strftime(info.created_at, "%Y-%m-%d")}")
    IO.puts("Updated: #{Calendar.strftime(info.updated_at, "%Y-%m-%d")}")
    for file <- Enum.take(info.siblings, 10), do: IO.puts("File: #{file.rfilename} (#{file.size} bytes)")

  {:error, reason} ->
    IO.puts("Error: #{inspect(reason)}")
end
