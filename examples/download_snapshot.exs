# Downloads the files of a repository that match patterns. All of them are of one commit.
Code.require_file("support/example.exs", __DIR__)
Example.start()

case HfHub.Api.list_files(Example.model(), repo_type: :model) do
  {:ok, files} -> for file <- files, do: IO.puts("in the repository: #{file.rfilename}, #{file.size} bytes")
  {:error, reason} -> IO.puts("Error: #{inspect(reason)}")
end

case HfHub.Download.snapshot_download(
       repo_id: Example.model(),
       allow_patterns: ["*.json", "*.md"],
       ignore_patterns: ["1_Pooling/*"]
     ) do
  {:ok, folder} ->
    IO.puts("Snapshot downloaded to: #{folder}")

    for path <- Path.wildcard(Path.join(folder, "**/*")), File.regular?(path) do
      IO.puts("downloaded: #{Path.relative_to(path, folder)}")
    end

  {:error, reason} ->
    IO.puts("Error: #{inspect(reason)}")
end
