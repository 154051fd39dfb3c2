defmodule HfHub.DatasetFiles.Viewer do
  # The dataset viewer: a service of the public Hub on a separate host. Other Hubs serve it at their endpoint, if at all.
  @moduledoc false

  alias HfHub.{Config, Decode, Error, Request}
  alias HfHub.DatasetFiles.DatasetParquetEntry
  alias HfHub.Request.Place

  @hosts %{"https://huggingface.co" => "https://datasets-server.huggingface.co"}

  @doc "Returns the viewer's address if it differs from the Hub's."
  @spec host(keyword()) :: String.t() | nil
  def host(opts), do: @hosts[String.trim_trailing(opts[:endpoint] || Config.endpoint(), "/")]

  @doc "Returns the Parquet files of a dataset."
  @spec parquet(HfHub.repo(), keyword()) :: {:ok, [DatasetParquetEntry.t()]} | {:error, Error.t()}
  def parquet(repo_id, opts) do
    # Resolved before the address of the viewer replaces the Hub's.
    request = Request.repo(:get, "/parquet", repo_id, opts, only: :dataset, scope: :whole)

    request =
      if viewer = host(opts),
        do: %{request | opts: Keyword.put(request.opts, :endpoint, viewer)},
        else: request

    # The viewer has no routes to search for similar names.
    Request.plain(request)
    |> Request.query(dataset: request.ref && request.ref.repo_id, config: opts[:config])
    |> Request.run(&Decode.items(Decode.object(&1)["parquet_files"] || [], Decode.to(DatasetParquetEntry)))
    |> on_hub(request, opts)
    |> named(request.ref)
  end

  defp on_hub(result, request, opts),
    do: if(host(opts), do: Place.on_hub(result, request, opts[:endpoint]), else: result)

  # The viewer's error of a missing dataset does not name it.
  defp named({:error, %Error{status: 404} = error}, ref) do
    message = "the dataset viewer does not know dataset #{inspect(ref.repo_id)}: #{error.message}"
    {:error, %{error | message: message, repo_id: ref.repo_id}}
  end

  defp named(result, _ref), do: result
end
