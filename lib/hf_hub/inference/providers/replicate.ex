defmodule HfHub.Inference.Providers.Replicate do
  # Replicate, whose results are addresses of files.
  @moduledoc false

  use HfHub.Inference.Provider

  alias HfHub.Error

  @impl true
  # A model with a version has another route.
  def path(_task, template, route),
    do: if(version(route), do: "/v1/predictions", else: Provider.path(template, route))

  @impl true
  def headers(_route), do: [{"prefer", "wait"}]

  @impl true
  def body(task, {input, params, extra}, route) do
    input = task |> input(input, route) |> Map.merge(params)
    body = Map.merge(%{"input" => input}, extra)
    version = version(route)
    {:json, if(version, do: Map.put(body, "version", version), else: body)}
  end

  defp version(route) do
    case String.split(route.model, ":", parts: 2) do
      [_model, version] -> version
      [_model] -> nil
    end
  end

  defp input("text-to-speech", text, _route), do: %{"text" => text}

  defp input("automatic-speech-recognition", audio, route),
    do: %{"audio" => Content.url!(audio, "audio/wav", route.opts)}

  # Models name it differently.
  defp input("image-to-image", image, route) do
    url = Content.url!(image, "image/jpeg", route.opts)
    %{"image" => url, "images" => [url], "input_image" => url, "input_images" => [url]}
  end

  defp input("text-to-image", prompt, %{lora: lora} = route) when lora != nil,
    do: %{"prompt" => prompt, "lora_weights" => Route.repo_url(route)}

  defp input(_task, prompt, _route), do: %{"prompt" => prompt}

  @impl true
  def result("automatic-speech-recognition", answer, route),
    do: %{"text" => transcription(output!(answer, route), route)}

  def result(_task, answer, route) do
    case output!(answer, route) do
      url when is_binary(url) -> Route.download!(route, url)
      [url | _more] when is_binary(url) -> Route.download!(route, url)
      _other -> Provider.unexpected!(route, "output is not the address of a file")
    end
  end

  defp output!(%{content: %{} = content}, route) do
    if content["status"] in ["failed", "canceled"], do: Provider.failed!(route, content["error"])

    with nil <- content["output"] do
      raise Error.new(
              :timeout,
              "replicate returned no result within its 60 seconds; the model may be starting, so try again later"
            )
    end
  end

  defp output!(_answer, route), do: Provider.unexpected!(route, "expected a JSON object")

  defp transcription(text, _route) when is_binary(text), do: text
  defp transcription([first | _more], route), do: transcription(first, route)
  defp transcription(%{"txt_file" => url}, route) when is_binary(url), do: Route.download!(route, url).data
  defp transcription(%{"translation" => text}, _route) when is_binary(text), do: text
  defp transcription(%{"transcription" => text}, _route) when is_binary(text), do: text
  defp transcription(_other, route), do: Provider.unexpected!(route, "output has no text")
end
