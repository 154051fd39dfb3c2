# Lists the most downloaded datasets.
Code.require_file("support/example.exs", __DIR__)
Example.start()

case HfHub.Api.list_datasets(limit: 5, sort: "downloads", direction: :desc) do
  {:ok, datasets} ->
    for {dataset, index} <- Enum.with_index(datasets, 1) do
      IO.puts("#{index}. #{dataset.id}")
      IO.puts("   Downloads: #{dataset.downloads}, likes: #{dataset.likes}")
      IO.puts("   Tags: #{dataset.tags |> Enum.take(3) |> Enum.join(", ")}")
    end

  {:error, reason} ->
    IO.puts("Error: #{inspect(reason)}")
end
