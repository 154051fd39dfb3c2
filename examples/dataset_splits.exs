# Lists the configurations of a dataset and their splits.
Code.require_file("support/example.exs", __DIR__)
Example.start()

case HfHub.Api.dataset_configs(Example.dataset()) do
  {:ok, configs} ->
    IO.puts("Configs: #{Enum.join(configs, ", ")}")

    for config <- configs do
      case HfHub.Api.dataset_splits(Example.dataset(), config: config) do
        {:ok, splits} -> IO.puts("Splits of #{config}: #{Enum.join(splits, ", ")}")
        {:error, reason} -> IO.puts("Error: #{inspect(reason)}")
      end
    end

  {:error, reason} ->
    IO.puts("Error: #{inspect(reason)}")
end
