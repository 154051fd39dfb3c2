defmodule HfHub.CLI.Datasets do
  # Datasets on the Hub.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.{Api, DatasetFiles}
  alias HfHub.CLI.{Browse, Call, Flags, Json}
  alias HfHub.CLI.Datasets.Sql

  @id [repo_id: [doc: "Id of the dataset"]]

  @impl true
  def noun, do: [name: "datasets", summary: "Searches datasets, and shows their files, facts and cards"]

  @impl true
  def commands do
    Browse.commands(:datasets, []) ++
      [
        Browse.command("datasets", ["parquet"], &parquet/1,
          summary: "Lists the Parquet files that the dataset viewer has made",
          args: @id,
          flags: [
            subset: [type: :string, doc: "Configuration of the dataset"],
            split: [type: :string, doc: "Split of the dataset"]
          ]
        ),
        Browse.command("datasets", ["leaderboard"], &leaderboard/1,
          summary: "Lists the results of a benchmark",
          args: @id,
          flags: Flags.limit(20)
        ),
        Sql.command()
      ]
  end

  defp parquet(call) do
    with {:ok, files} <-
           DatasetFiles.parquet_files(call.args.repo_id, Call.options(call, [{:subset, :config}])) do
      split = call.flags[:split]
      rows = for file <- files, split in [nil, file.split], do: row(file)
      {:table, rows, id: "url"}
    end
  end

  defp row(file), do: [{"subset", file.config}, {"split", file.split}, {"url", file.url}, {"size", file.size}]

  defp leaderboard(call) do
    with {:ok, entries} <- Api.dataset_leaderboard(call.args.repo_id, Call.options(call)),
         do:
           {:table, entries |> Enum.take(call.flags.limit) |> Json.rows(),
            id: "model_id", columns: ~w(rank model_id value source)}
  end
end
