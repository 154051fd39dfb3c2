defmodule HfHub.Inference.Providers.Together do
  # Together: OpenAI's API, with images in Base64 and videos that are waited for.
  @moduledoc false

  use HfHub.Inference.Provider

  # Milliseconds between two looks at a video, and the longest wait for one.
  @pause 2000
  @longest 300_000

  @images ~w(image-to-image text-to-image)
  @videos ~w(image-to-video text-to-video)

  @impl true
  def body("text-to-image", {prompt, params}, route) do
    %{"prompt" => prompt, "response_format" => "base64"}
    |> Map.merge(steps(params))
    |> finished(route)
  end

  def body("image-to-image", {image, params}, route) do
    {prompt, params} = Map.pop(params, "prompt", "")

    %{"prompt" => prompt, "response_format" => "base64"}
    |> Map.merge(reference(image, route))
    |> Map.merge(steps(params))
    |> finished(route)
  end

  def body("text-to-video", {prompt, params}, route),
    do: %{"prompt" => prompt} |> Map.merge(sized(params)) |> finished(route)

  def body("image-to-video", {image, params}, route) do
    frame = %{"input_image" => Content.url!(image, "image/png", route.opts), "frame" => "first"}
    %{"frame_images" => [frame]} |> Map.merge(sized(params)) |> finished(route)
  end

  def body(task, given, route), do: OpenAi.body(task, given, route)

  defp finished(body, route), do: {:json, Map.put(body, "model", route.model)}

  # FLUX.1 Kontext takes one image, all others a list.
  defp reference(image, route) do
    url = Content.url!(image, "image/jpeg", route.opts)
    name = String.downcase(route.model)

    if name =~ "kontext" and name =~ "flux.1",
      do: %{"image_url" => url},
      else: %{"reference_images" => [url]}
  end

  defp steps(params), do: OpenAi.rename(params, "num_inference_steps", "steps")

  defp sized(params) do
    {size, params} = Map.pop(steps(params), "target_size", %{})
    Map.merge(params, Map.take(size, ["width", "height"]))
  end

  @impl true
  def result(task, answer, route) when task in @images,
    do: Content.media(Provider.text!(answer.content, ["data", 0, "b64_json"], route), nil)

  def result(task, %{content: video}, route) when task in @videos do
    id = Provider.text!(video, ["id"], route)

    path = Route.path(route, "/v2/videos/" <> URI.encode_www_form(id))
    Route.download!(route, Route.await!(route, video, path, @pause, @longest, &state(&1, route)))
  end

  def result(task, answer, route), do: OpenAi.result(task, answer, route)

  defp state(video, route) do
    case video["status"] do
      "completed" -> {:done, Provider.text!(video, ["outputs", "video_url"], route)}
      pending when pending in ["queued", "in_progress", nil] -> Route.again(pending)
      "failed" -> Provider.failed!(route, get_in(video, ["error", "message"]))
      other -> Provider.unexpected!(route, "status #{inspect(other)}")
    end
  end
end
