defmodule HfHub.Inference.Providers.Replicate do
  # Replicate, whose results are addresses of files.
  @moduledoc false

  use HfHub.Inference.Provider

  # Milliseconds between two looks at a result, and the longest wait for one after the response, which itself is held
  # back for up to 60 seconds.
  @pause 1000
  @longest 300_000

  @impl true
  # A model with a version has another route.
  def path(_task, template, route),
    do: if(version(route), do: "/v1/predictions", else: Provider.path(template, route))

  @impl true
  def headers(_route), do: [{"prefer", "wait"}]

  @impl true
  def body(task, {input, params}, route) do
    body = %{"input" => task |> input(input, route) |> Map.merge(params)}
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
    id = with id when is_binary(id) <- content["id"], do: URI.encode_www_form(id)
    path = Route.path(route, "/v1/predictions/#{id}")
    Route.await!(route, content, path, @pause, @longest, &state(&1, id, route))
  end

  defp output!(_answer, route), do: Provider.unexpected!(route, "expected a JSON object")

  defp state(%{"output" => output}, _id, _route) when output != nil, do: {:done, output}

  defp state(%{"status" => pending}, id, _route) when pending in ["starting", "processing"] and is_binary(id),
    do: Route.again(pending)

  defp state(%{"status" => status} = content, _id, route) when status in ["failed", "canceled", "aborted"],
    do: Provider.failed!(route, content["error"])

  defp state(_other, _id, route), do: Provider.unexpected!(route, "output is missing")

  defp transcription(text, _route) when is_binary(text), do: text
  defp transcription([first | _more], route), do: transcription(first, route)
  defp transcription(%{"txt_file" => url}, route) when is_binary(url), do: Route.download!(route, url).data
  defp transcription(%{"translation" => text}, _route) when is_binary(text), do: text
  defp transcription(%{"transcription" => text}, _route) when is_binary(text), do: text
  defp transcription(_other, route), do: Provider.unexpected!(route, "output has no text")
end
