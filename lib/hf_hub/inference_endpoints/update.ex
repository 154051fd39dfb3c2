defmodule HfHub.InferenceEndpoints.Update do
  # Changes an endpoint.
  @moduledoc false

  alias HfHub.{Decode, Error, Request}
  alias HfHub.InferenceEndpoints.{Call, Endpoint, Payload, Tables}

  @doc "Returns the body of an update. Raises `ArgumentError` if nothing is to change."
  @spec body!(keyword()) :: map()
  def body!(opts) do
    changes = Keyword.keys(Tables.changes())

    if Enum.any?(changes, &(opts[&1] != nil)),
      do: Payload.update(opts),
      else: raise(ArgumentError, "an update requires at least one of #{inspect(changes, limit: :infinity)}")
  end

  @doc "Sends an update, and returns the endpoint."
  @spec run(Call.place(), map(), keyword()) :: {:ok, Endpoint.t()} | {:error, Error.t()}
  def run(place, body, opts) do
    with {:ok, body} <- parallel(body, place, opts) do
      :put
      |> Call.one(place, opts)
      |> Request.json(body)
      |> Request.hide(Payload.secrets(opts))
      |> Call.endpoint(place, opts)
    end
  end

  # The API replaces an image as a whole, so its other settings have to be sent again.
  defp parallel(body, place, opts) do
    if opts[:tensor_parallel_size] || opts[:data_parallel_size] do
      with {:ok, image} <- image(body.model, place, opts),
           do: {:ok, %{body | model: Map.put(body.model || %{}, :image, Payload.parallel(image, opts))}}
    else
      {:ok, body}
    end
  end

  defp image(%{image: image}, _place, _opts), do: {:ok, image}

  defp image(_model, {_namespace, name} = place, opts) do
    with {:ok, %{raw: raw}} <- :get |> Call.one(place, opts) |> Call.endpoint(place, opts) do
      case raw |> Decode.get("model") |> Decode.get("image") do
        %{} = image when map_size(image) == 1 ->
          sendable(image, name)

        _none ->
          unusable(
            "the endpoint #{inspect(name)} has no image whose parallelism can be set; pass :custom_image"
          )
      end
    end
  end

  defp sendable(image, name) do
    case Map.values(image) do
      # The API does not return the password, and would forget it.
      [%{"credentials" => _credentials}] ->
        unusable(
          "the image of #{inspect(name)} has credentials of a registry; pass the whole image as :custom_image"
        )

      [%{}] ->
        {:ok, image}

      _other ->
        unusable("the endpoint #{inspect(name)} has an image without settings; pass :custom_image")
    end
  end

  defp unusable(message), do: {:error, Error.new(:precondition, message)}
end
