defmodule HfHub.Inference.Providers.Nscale do
  # Nscale: OpenAI's API for chats and images.
  @moduledoc false

  use HfHub.Inference.Provider

  @impl true
  def body("text-to-image", {prompt, params}, route) do
    params = params |> sized() |> Map.drop(["num_inference_steps", "cfg_scale"])

    {:json, Map.merge(%{"response_format" => "b64_json", "prompt" => prompt, "model" => route.model}, params)}
  end

  def body(task, given, route), do: OpenAi.body(task, given, route)

  defp sized(%{"width" => width, "height" => height} = params),
    do: params |> Map.drop(["width", "height"]) |> Map.put("size", "#{width}x#{height}")

  defp sized(params), do: params

  @impl true
  def result("text-to-image", answer, route),
    do: Content.media(Provider.text!(answer.content, ["data", 0, "b64_json"], route), nil)

  def result(task, answer, route), do: OpenAi.result(task, answer, route)
end
