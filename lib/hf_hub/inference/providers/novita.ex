defmodule HfHub.Inference.Providers.Novita do
  # Novita: OpenAI's API for texts, and videos by their addresses.
  @moduledoc false

  use HfHub.Inference.Provider

  @impl true
  def body("text-to-video", {prompt, params}, _route),
    do: {:json, %{"prompt" => prompt} |> Map.merge(params)}

  def body(task, given, route), do: OpenAi.body(task, given, route)

  @impl true
  def result("text-to-video", answer, route),
    do: Route.download!(route, Provider.text!(answer.content, ["video", "video_url"], route))

  def result(task, answer, route), do: OpenAi.result(task, answer, route)
end
