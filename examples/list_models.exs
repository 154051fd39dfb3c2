# Lists the most downloaded models for text generation.
Code.require_file("support/example.exs", __DIR__)
Example.start()

case HfHub.Api.list_models(limit: 5, filter: "text-generation", sort: "downloads") do
  {:ok, models} ->
    for {model, index} <- Enum.with_index(models, 1) do
      IO.puts("#{index}. #{model.id}")
      IO.puts("   Downloads: #{model.downloads}, likes: #{model.likes}")
      if model.pipeline_tag, do: IO.puts("   Pipeline: #{model.pipeline_tag}")
      IO.puts("   Tags: #{model.tags |> Enum.take(3) |> Enum.join(", ")}")
    end

  {:error, reason} ->
    IO.puts("Error: #{inspect(reason)}")
end

# A stream requests pages as needed, for lists of any length.
small = HfHub.Api.stream_models(search: "minilm") |> Enum.take(3)
IO.puts("named MiniLM: #{Enum.map_join(small, ", ", & &1.id)}")
