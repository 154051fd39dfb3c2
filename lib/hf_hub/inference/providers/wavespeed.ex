defmodule HfHub.Inference.Providers.Wavespeed do
  # WaveSpeedAI, whose results are waited for.
  @moduledoc false

  use HfHub.Inference.Provider

  alias HfHub.Decode

  # Milliseconds between two looks at a result.
  @pause 500

  @impl true
  def body(task, {prompt, params}, _route) when task in ["text-to-image", "text-to-video"],
    do: {:json, %{"prompt" => prompt} |> Map.merge(params)}

  def body(_task, {image, params}, route) do
    body = %{"image" => Content.url!(image, "image/jpeg", route.opts)}
    {:json, body |> Map.merge(params)}
  end

  @impl true
  # Only the path of the address in the response is used, so the key goes nowhere else.
  def result(_task, answer, route) do
    url = Provider.text!(answer.content, ["data", "urls", "get"], route)
    {_origin, path} = if String.starts_with?(url, "/"), do: {nil, url}, else: Content.split!(url)

    route
    |> Route.await!(answer.content, Route.path(route, path), @pause, nil, &state(&1["data"], route))
    |> then(&Route.download!(route, &1))
  end

  defp state(data, route) do
    case Decode.get(data, "status") do
      "completed" -> {:done, Provider.text!(data, ["outputs", 0], route)}
      pending when pending in ["created", "processing", nil] -> Route.again(pending)
      "failed" -> Provider.failed!(route, Decode.get(data, "error"))
      other -> Provider.unexpected!(route, "status #{inspect(other)}")
    end
  end
end
