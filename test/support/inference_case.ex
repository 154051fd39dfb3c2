defmodule HfHub.InferenceCase do
  # Tests of inference: the Local Hub gives responses injected for the paths of each test, as a router, a provider or a
  # server of one's own.
  @moduledoc false

  use ExUnit.CaseTemplate

  import HfHub.Case

  alias HfHub.Inference
  alias HfHub.Native.Nif

  # `hub: :own` as for `HfHub.Case`.
  using opts do
    quote do
      use HfHub.Case, unquote([async: true] ++ opts)
      import HfHub.InferenceCase

      @hello [%{role: "user", content: "hello"}]

      setup context, do: HfHub.InferenceCase.start(context)
    end
  end

  @doc "Setup: a path, a model and a URL that are the test's own."
  def start(context) do
    {:ok,
     base: "/inference-#{System.unique_integer([:positive])}-#{System.pid()}",
     id: "org/m#{System.unique_integer([:positive])}",
     url: context.endpoint}
  end

  @doc "Makes a path respond with JSON, or a text as it is. Options: `:code`, `:type`, `:headers`, and `:skip` and `:times` of requests."
  def respond(path, body, more \\ %{}) do
    body = if is_binary(body), do: body, else: Nif.to_json(body)
    headers = Map.merge(%{"content-type" => more[:type] || "application/json"}, more[:headers] || %{})
    fault = %{kind: "status", code: more[:code] || 200, headers: headers, body: body}
    fault(path, fault, Map.take(more, [:times, :skip]))
  end

  @doc "Returns a client of a server at the base path of the test."
  def client(context, opts \\ []) do
    Inference.new(
      Keyword.merge(
        [
          base_url: context.url <> context.base,
          endpoint: context.url,
          token: false,
          retries: 0,
          retry_delay: 10
        ],
        opts
      )
    )
  end

  @doc "Returns a client of the router at the base path of the test."
  def routed(context, opts) do
    given = [
      endpoint: context.url,
      inference_router_url: context.url <> context.base,
      token: token(),
      retries: 0
    ]

    Inference.new([model: context.id] ++ given ++ opts)
  end

  @doc "Makes the Hub know the providers of the model of the test."
  def mapped(context, mapping) do
    respond("/api/models/#{context.id}", %{"id" => context.id, "inferenceProviderMapping" => mapping})
  end

  @doc "Returns the JSON of a reply."
  def reply(text, more \\ %{}) do
    message = Map.merge(%{"role" => "assistant", "content" => text}, more)

    %{
      "id" => "1",
      "model" => "m",
      "created" => 1,
      "choices" => [%{"index" => 0, "finish_reason" => "stop", "message" => message}]
    }
  end

  @doc "Returns an event with a part of a reply."
  def chunk(delta, more \\ %{}) do
    "data: " <>
      Nif.to_json(
        Map.merge(%{"id" => "1", "model" => "m", "choices" => [%{"index" => 0, "delta" => delta}]}, more)
      ) <> "\n\n"
  end

  @doc "Returns method, path and body of the requests to a path."
  def sent(path),
    do: for(request <- requests(path), do: {request["method"], request["path"], request["body"]})

  @doc "Returns what the log shows of a header of the last request to a path."
  def header(path, name), do: path |> requests() |> List.last() |> Map.fetch!(name)
end
