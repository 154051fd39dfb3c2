defmodule HfHub.Inference.Providers.HfInference do
  # The Hub's own provider, Inference Endpoints, and other servers with a URL.
  @moduledoc false

  use HfHub.Inference.Provider

  # Tasks whose models may have several tasks.
  @pipelines ~w(feature-extraction sentence-similarity)

  # Tasks whose input is a file, which is the whole body unless there are parameters.
  @files ~w(audio-classification audio-to-audio automatic-speech-recognition image-classification image-segmentation
            image-to-image image-to-text image-to-video object-detection zero-shot-image-classification)

  @tabular ~w(tabular-classification tabular-regression)

  @impl true
  def path("conversational", _template, %{server: url} = route) do
    {_origin, path} = Content.split!(url || "http://router" <> model_path(route))
    chat_path(path)
  end

  def path(_task, _template, %{server: url}) when is_binary(url), do: url |> Content.split!() |> elem(1)
  def path(task, _template, route) when task in @pipelines, do: model_path(route) <> "/pipeline/" <> task
  def path(_task, _template, route), do: model_path(route)

  defp model_path(route), do: Provider.path("/models/:model", route)

  defp chat_path(path) do
    {path, query} =
      case String.split(path, "?", parts: 2) do
        [path] -> {path, ""}
        [path, query] -> {path, "?" <> query}
      end

    path = String.trim_trailing(path, "/")

    cond do
      String.ends_with?(path, "/chat/completions") -> path <> query
      String.ends_with?(path, "/v1") -> path <> "/chat/completions" <> query
      true -> path <> "/v1/chat/completions" <> query
    end
  end

  @impl true
  def body("conversational", {messages, params}, route) do
    model = route.asked || if(route.server, do: "dummy", else: route.model)
    params = params |> Map.delete("model") |> OpenAi.with_format(:value)
    {:json, [{"model", model}, {"messages", messages} | Map.to_list(params)]}
  end

  # The parameters are beside the inputs.
  def body("feature-extraction", {inputs, params}, _route), do: {:json, Map.put(params, "inputs", inputs)}

  def body("visual-question-answering", {%{"image" => image} = input, params}, _route),
    do: {:json, Map.merge(input, %{"inputs" => image, "parameters" => params})}

  def body(task, {table, params}, _route) when task in @tabular,
    do: {:json, %{"table" => table, "parameters" => params}}

  def body(task, {file, params}, route) when task in @files and params == %{} do
    {body, type} = Content.body!(file, route.opts)
    {:bytes, body, type}
  end

  def body(task, {file, params}, route) when task in @files,
    do: body(nil, {Content.base64!(file, route.opts), params}, route)

  def body(_task, {inputs, params}, _route) do
    {beside, params} = Map.split(params, ["stream"])
    {:json, Map.merge(beside, %{"inputs" => inputs, "parameters" => params})}
  end

  @impl true
  def result(task, answer, route) do
    cond do
      not Provider.media?(task) -> answer.content
      is_binary(answer.content) -> %Media{data: answer.content, content_type: answer.content_type}
      true -> Provider.unexpected!(route, "expected the bytes of a file, got JSON")
    end
  end
end
