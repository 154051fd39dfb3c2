defmodule Consumer do
  @moduledoc """
  An application that reads a setting of a model, and loads its models at the start.
  """

  @doc "Returns the number of layers of a model."
  @spec layers(String.t(), keyword()) :: {:ok, non_neg_integer()} | {:error, :unknown_model | :unavailable}
  def layers(model, opts \\ []) do
    case HfHub.Download.hf_hub_download([repo_id: model, filename: "config.txt"] ++ opts) do
      {:ok, path} ->
        {:ok, path |> File.read!() |> String.trim() |> String.to_integer()}

      {:error, %HfHub.Error{kind: kind}} when kind in [:repo_not_found, :entry_not_found] ->
        {:error, :unknown_model}

      {:error, _error} ->
        {:error, :unavailable}
    end
  end

  @doc "Returns the children of the supervision tree that load these models."
  @spec children([String.t()], keyword()) :: [{module(), keyword()}]
  def children(models, opts \\ []), do: [{HfHub.Preload, [name: Consumer.Models, repos: models] ++ opts}]
end
