# Downloads one file into the cache that all Hugging Face clients share.
Code.require_file("support/example.exs", __DIR__)
Example.start()

case HfHub.Download.hf_hub_download(repo_id: Example.model(), filename: "config.json", repo_type: :model) do
  {:ok, path} ->
    IO.puts("Downloaded to: #{path}")
    IO.puts("File size: #{File.stat!(path).size} bytes")
    IO.puts(String.slice(File.read!(path), 0, 200))

  {:error, reason} ->
    IO.puts("Error: #{inspect(reason)}")
end
