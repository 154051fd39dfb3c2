defmodule HfHub.Inference.Providers.OpenAi do
  # The API of OpenAI, which most providers have for chats, texts, embeddings and speech, and many other servers.
  @moduledoc false

  use HfHub.Inference.Provider

  alias HfHub.Request.Form

  # These name the number of new tokens as TGI does, the others as OpenAI does.
  @max_new_tokens ~w(novita together)

  # Servers recognize the format of a recording by the file's name.
  @extensions %{
    "audio/aac" => ".aac",
    "audio/flac" => ".flac",
    "audio/mp4" => ".m4a",
    "audio/mpeg" => ".mp3",
    "audio/ogg" => ".ogg",
    "video/webm" => ".webm"
  }

  @impl true
  def body("conversational", {messages, params}, route) do
    params = params |> Map.delete("model") |> with_format(route.row.schema)
    # First, so that a router finds the model without reading all messages.
    {:json, [{"model", route.model}, {"messages", messages} | Map.to_list(params)]}
  end

  def body("text-generation", {prompt, params}, route) do
    params =
      if route.provider in @max_new_tokens, do: params, else: rename(params, "max_new_tokens", "max_tokens")

    {:json, %{"prompt" => prompt} |> Map.merge(params) |> Map.put("model", route.model)}
  end

  def body("automatic-speech-recognition", {audio, params}, route) do
    {content, type} = Content.body!(audio, route.opts)
    file = {:file, content, "audio" <> Map.get(@extensions, type, ".wav"), type || "application/octet-stream"}
    fields = for {name, value} <- Map.put(params, "model", route.model), do: {name, field(value)}
    {pieces, form_type} = Form.multipart([{"file", file} | fields])
    {:pieces, pieces, form_type}
  end

  # Embeddings and speech.
  def body(_task, {input, params}, route),
    do: {:json, %{"input" => input} |> Map.merge(params) |> Map.put("model", route.model)}

  defp field(value) when is_binary(value), do: value
  defp field(value) when is_atom(value) or is_number(value), do: to_string(value)
  defp field(value), do: HfHub.Native.Nif.to_json(value)

  @impl true
  def result("conversational", answer, _route), do: answer.content

  def result("text-generation", answer, route) do
    %{} = choice = object!(Provider.fetch!(answer.content, ["choices", 0], route), route)
    details = Map.take(choice, ["finish_reason", "seed"])
    %{"generated_text" => Provider.text!(choice, ["text"], route), "details" => details}
  end

  def result("feature-extraction", answer, route) do
    items = Provider.fetch!(answer.content, ["data"], route)
    for item <- items!(items, route), do: Provider.fetch!(item, ["embedding"], route)
  end

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

  def result("text-to-speech", %{content: bytes} = answer, _route) when is_binary(bytes),
    do: %Media{data: bytes, content_type: answer.content_type}

  def result(_task, _answer, route), do: Provider.unexpected!(route, "expected the bytes of a file")

  defp object!(%{} = json, _route), do: json
  defp object!(_other, route), do: Provider.unexpected!(route, "choices.0 is not an object")

  defp items!(items, _route) when is_list(items), do: items
  defp items!(_other, route), do: Provider.unexpected!(route, "data is not a list")

  @doc "Returns the parameters with a JSON schema for the reply in the form that the server expects; see `HfHub.Inference.Providers`."
  @spec with_format(map(), :as_is | :object | :schema | :value) :: map()
  def with_format(
        %{"response_format" => %{"type" => "json_schema", "json_schema" => %{"schema" => schema}}} = params,
        form
      ) do
    case form do
      :as_is ->
        params

      :object ->
        %{params | "response_format" => %{"type" => "json_object", "schema" => schema}}

      :value ->
        %{params | "response_format" => %{"type" => "json_object", "value" => schema}}

      :schema ->
        %{params | "response_format" => %{"type" => "json_schema", "schema" => schema}}
    end
  end

  def with_format(params, _form), do: params

  @doc "Renames a parameter, if it is there."
  @spec rename(map(), String.t(), String.t()) :: map()
  def rename(params, from, to) do
    case Map.pop(params, from) do
      {nil, _params} -> params
      {value, params} -> Map.put(params, to, value)
    end
  end
end
