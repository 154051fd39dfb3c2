defmodule HfHub.Inference.Providers.OpenAi do
  # The API of OpenAI, which most providers have for chats, texts and embeddings.
  @moduledoc false

  use HfHub.Inference.Provider

  # These name the number of new tokens as OpenAI does, the others as TGI does.
  @max_tokens ~w(deepinfra featherless-ai)

  @impl true
  def body("conversational", {messages, params, extra}, route) do
    params = params |> Map.merge(extra) |> Map.delete("model") |> with_format(route.row.schema)
    # First, so that a router finds the model without reading all messages.
    {:json, [{"model", route.model}, {"messages", messages} | Map.to_list(params)]}
  end

  def body("text-generation", {prompt, params, extra}, route) do
    params =
      if route.provider in @max_tokens, do: rename(params, "max_new_tokens", "max_tokens"), else: params

    {:json, %{"prompt" => prompt} |> Map.merge(params) |> Map.merge(extra) |> Map.put("model", route.model)}
  end

  # Embeddings and speech.
  def body(_task, {input, params, extra}, route),
    do: {:json, %{"input" => input} |> Map.merge(params) |> Map.merge(extra) |> Map.put("model", route.model)}

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
