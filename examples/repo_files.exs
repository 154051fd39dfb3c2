# Lists and downloads the files of a repository by URLs, with the functions of Bumblebee's Hub module.
Code.require_file("support/example.exs", __DIR__)
Example.start()

repository = {:hf, Example.model()}

case HfHub.get_repo_files(repository) do
  {:ok, files} ->
    for {name, etag} <- Enum.sort(files), do: IO.puts("#{name} #{etag}")

    url = HfHub.file_url(Example.model(), "config.json", nil)
    {:ok, path} = HfHub.cached_download(url, etag: files["config.json"])
    IO.puts("Downloaded to: #{path}")

  {:error, message} ->
    IO.puts("Error: #{message}")
end

# A folder on this machine is a repository too.
folder = Example.write(Example.folder(), %{"config.json" => "{}"})
{:ok, files} = HfHub.get_repo_files({:local, folder})
IO.puts("local files: #{files |> Map.keys() |> Enum.join(", ")}")
