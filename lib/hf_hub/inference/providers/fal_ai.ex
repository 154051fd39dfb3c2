defmodule HfHub.Inference.Providers.FalAi do
  # fal.ai, whose slow tasks are put into a queue.
  @moduledoc false

  use HfHub.Inference.Provider

  @queued ~w(image-segmentation image-to-image image-to-video text-to-video)
  # Milliseconds between two looks at the queue.
  @pause 500

  @doc "Returns the address of the API for a task."
  @spec url(String.t()) :: String.t() | nil
  def url(task), do: if(task in @queued, do: "https://queue.fal.run")

  @impl true
  def path(task, template, route) do
    path = Provider.path(template, route)
    if task in @queued and route.routed?, do: path <> "?_subdomain=queue", else: path
  end

  @impl true
  def body("automatic-speech-recognition", {audio, params}, route),
    do: json(%{"audio_url" => Content.url!(audio, "audio/mpeg", route.opts)}, params)

  def body("text-to-image", {prompt, params}, route) do
    {:json, body} = json(%{"prompt" => prompt}, sized(params))

    # Adapters of Stable Diffusion need the name of their base model.
    body =
      if route.lora && route.model == "fal-ai/lora",
        do: Map.put(body, "model_name", "stabilityai/stable-diffusion-xl-base-1.0"),
        else: body

    {:json, with_adapter(body, route)}
  end

  def body("text-to-speech", {text, params}, _route), do: json(%{"text" => text}, params)

  def body("text-to-video", {prompt, params}, route) do
    {:json, body} = json(%{"prompt" => prompt}, params)
    {:json, with_adapter(body, route)}
  end

  def body("image-segmentation", {image, params}, route) do
    {:json, body} = json(%{"image_url" => Content.url!(image, "image/png", route.opts)}, params)
    {:json, Map.put(body, "sync_mode", true)}
  end

  def body("image-to-image", {image, params}, route) do
    url = Content.url!(image, "image/jpeg", route.opts)
    params = OpenAi.rename(params, "target_size", "image_size")
    {:json, body} = json(%{"image_url" => url, "image_urls" => [url]}, params)
    {:json, with_adapter(body, route)}
  end

  def body("image-to-video", {image, params}, route) do
    {:json, body} = json(%{"image_url" => Content.url!(image, "image/jpeg", route.opts)}, params)
    {:json, with_adapter(body, route)}
  end

  defp json(body, params), do: {:json, Map.merge(body, params)}

  defp sized(%{"width" => width, "height" => height} = params) do
    params
    |> Map.drop(["width", "height"])
    |> Map.put("image_size", %{"width" => width, "height" => height})
  end

  defp sized(params), do: params

  defp with_adapter(body, %{lora: nil}), do: body

  defp with_adapter(body, route),
    do: Map.put(body, "loras", [%{"path" => Route.file_url(route, route.lora), "scale" => 1}])

  @impl true
  def result("automatic-speech-recognition", answer, route),
    do: %{"text" => Provider.text!(answer.content, ["text"], route)}

  def result("text-to-image", answer, route),
    do: Route.download!(route, Provider.text!(answer.content, ["images", 0, "url"], route))

  def result("text-to-speech", answer, route),
    do: Route.download!(route, Provider.text!(answer.content, ["audio", "url"], route))

  def result("image-to-image", answer, route),
    do: Route.download!(route, Provider.text!(queued(answer, route), ["images", 0, "url"], route))

  def result("image-segmentation", answer, route) do
    url = Provider.text!(queued(answer, route), ["image", "url"], route)

    mask =
      if String.starts_with?(url, "data:"), do: url, else: Base.encode64(Route.download!(route, url).data)

    [%{"label" => "mask", "mask" => mask}]
  end

  def result(_video, answer, route),
    do: Route.download!(route, Provider.text!(queued(answer, route), ["video", "url"], route))

  # The address in the response is that of the queue; only its path is used, so the key goes nowhere else.
  defp queued(%{content: content}, route) do
    Provider.text!(content, ["request_id"], route)
    {_origin, path} = content |> Provider.text!(["response_url"], route) |> Content.split!()
    [path | _query] = String.split(path, "?")
    query = if route.routed?, do: "?_subdomain=queue", else: ""

    status = Route.path(route, path) <> "/status" <> query
    :completed = Route.await!(route, content, status, @pause, nil, &state(&1["status"], route))
    Route.get!(route, Route.path(route, path) <> query)
  end

  defp state("COMPLETED", _route), do: {:done, :completed}
  defp state(pending, _route) when pending in ["IN_QUEUE", "IN_PROGRESS", nil], do: Route.again(pending)
  defp state(other, route), do: Provider.failed!(route, "status #{inspect(other)}")

  @impl true
  # Its own keys are sent in a form of their own.
  def headers(%{routed?: false, key: key}) when is_binary(key), do: [{"authorization", "Key " <> key}]
  def headers(_route), do: []
end
