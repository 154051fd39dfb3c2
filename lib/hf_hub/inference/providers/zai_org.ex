defmodule HfHub.Inference.Providers.ZaiOrg do
  # Z.ai: OpenAI's API for chats, and images that are waited for.
  @moduledoc false

  use HfHub.Inference.Provider

  # Milliseconds between two looks at an image, and the longest wait for one.
  @pause 5000
  @longest 300_000

  @impl true
  def headers(_route), do: [{"accept-language", "en-US,en"}, {"x-source-channel", "hugging_face"}]

  @impl true
  def body("text-to-image", {prompt, params}, route) do
    {width, params} = Map.pop(params, "width")
    {height, params} = Map.pop(params, "height")
    size = if width && height, do: %{"size" => "#{width}x#{height}"}, else: %{}

    {:json, %{"model" => route.model, "prompt" => prompt} |> Map.merge(size) |> Map.merge(params)}
  end

  def body(task, given, route), do: OpenAi.body(task, given, route)

  @impl true
  def result("text-to-image", %{content: content}, route) do
    id = Provider.text!(content, ["id"], route)

    path = Route.path(route, "/api/paas/v4/async-result/" <> URI.encode_www_form(id))
    Route.download!(route, Route.await!(route, content, path, @pause, @longest, &state(&1, route)))
  end

  def result(task, answer, route), do: OpenAi.result(task, answer, route)

  defp state(content, route) do
    case content["task_status"] do
      "PROCESSING" = pending -> Route.again(pending)
      "FAIL" -> Provider.failed!(route, nil)
      _done -> {:done, Provider.text!(content, ["image_result", 0, "url"], route)}
    end
  end
end
