defmodule HfHub.Inference.Providers.Deepinfra do
  # DeepInfra: OpenAI's API, with a form for speech recognition.
  @moduledoc false

  use HfHub.Inference.Provider

  alias HfHub.Request.Form

  # Servers recognize the format by the file's name.
  @extensions %{
    "audio/aac" => ".aac",
    "audio/flac" => ".flac",
    "audio/mp4" => ".m4a",
    "audio/mpeg" => ".mp3",
    "audio/ogg" => ".ogg",
    "video/webm" => ".webm"
  }

  @impl true
  def body("automatic-speech-recognition", {audio, params, extra}, route) do
    {content, type} = Content.body!(audio, route.opts)
    filename = "audio" <> Map.get(@extensions, type, ".wav")
    fields = params |> Map.merge(extra) |> Map.put("model", route.model)
    parts = for {name, value} <- fields, do: {name, field(value)}

    {pieces, form_type} =
      Form.multipart([{"file", {:file, content, filename, type || "application/octet-stream"}} | parts])

    {:bytes, pieces, form_type}
  end

  def body(task, given, route), do: OpenAi.body(task, given, route)

  defp field(value) when is_binary(value), do: value
  defp field(value) when is_atom(value) or is_number(value), do: to_string(value)
  defp field(value), do: HfHub.Native.Nif.to_json(value)

  @impl true
  def result("automatic-speech-recognition", answer, route) do
    text = Provider.text!(answer.content, ["text"], route)

    case answer.content["segments"] do
      segments when is_list(segments) ->
        chunks =
          for %{} = part <- segments,
              do: %{"text" => part["text"], "timestamp" => [part["start"], part["end"]]}

        %{"text" => text, "chunks" => chunks}

      _none ->
        %{"text" => text}
    end
  end

  def result(task, answer, route), do: OpenAi.result(task, answer, route)
end
