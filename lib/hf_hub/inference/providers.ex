defmodule HfHub.Inference.Providers do
  # The providers as data: address of the API, the module that knows its forms, and the route of each task, in which
  # `:model` is the provider's own name of the model.
  @moduledoc false

  alias HfHub.Inference.Providers.{
    FalAi,
    HfInference,
    Novita,
    Nscale,
    OpenAi,
    Replicate,
    Together,
    Wavespeed,
    ZaiOrg
  }

  @type row :: %{
          name: String.t(),
          url: String.t() | nil,
          adapter: module(),
          routes: %{String.t() => String.t()},
          schema: :as_is | :object | :schema
        }

  @chat "/v1/chat/completions"

  # `schema` is how a JSON schema for the reply is sent: as OpenAI does, as an object, or without its envelope.
  @rows [
    {"baseten", "https://inference.baseten.co", OpenAi, :as_is, %{"conversational" => @chat}},
    {"cerebras", "https://api.cerebras.ai", OpenAi, :as_is, %{"conversational" => @chat}},
    {"cohere", "https://api.cohere.com", OpenAi, :object, %{"conversational" => "/compatibility" <> @chat}},
    {"deepinfra", "https://api.deepinfra.com", OpenAi, :as_is,
     %{
       "automatic-speech-recognition" => "/v1/openai/audio/transcriptions",
       "conversational" => "/v1/openai/chat/completions",
       "feature-extraction" => "/v1/openai/embeddings",
       "text-generation" => "/v1/openai/completions",
       "text-to-speech" => "/v1/openai/audio/speech"
     }},
    {"fal-ai", "https://fal.run", FalAi, :as_is,
     %{
       "automatic-speech-recognition" => "/:model",
       "image-segmentation" => "/:model",
       "image-to-image" => "/:model",
       "image-to-video" => "/:model",
       "text-to-image" => "/:model",
       "text-to-speech" => "/:model",
       "text-to-video" => "/:model"
     }},
    {"featherless-ai", "https://api.featherless.ai", OpenAi, :as_is,
     %{"conversational" => @chat, "text-generation" => "/v1/completions"}},
    {"fireworks-ai", "https://api.fireworks.ai", OpenAi, :object,
     %{"conversational" => "/inference" <> @chat}},
    {"groq", "https://api.groq.com", OpenAi, :as_is, %{"conversational" => "/openai" <> @chat}},
    # Has a route for every task.
    {"hf-inference", nil, HfInference, :as_is, %{}},
    {"novita", "https://api.novita.ai", Novita, :as_is,
     %{
       "conversational" => "/v3/openai/chat/completions",
       "text-generation" => "/v3/openai/completions",
       "text-to-video" => "/v3/hf/:model"
     }},
    {"nscale", "https://inference.api.nscale.com", Nscale, :as_is,
     %{"conversational" => @chat, "text-to-image" => "/v1/images/generations"}},
    {"openai", "https://api.openai.com", OpenAi, :as_is, %{"conversational" => @chat}},
    {"ovhcloud", "https://oai.endpoints.kepler.ai.cloud.ovh.net", OpenAi, :as_is,
     %{"conversational" => @chat}},
    {"publicai", "https://api.publicai.co", OpenAi, :as_is, %{"conversational" => @chat}},
    {"replicate", "https://api.replicate.com", Replicate, :as_is,
     %{
       "automatic-speech-recognition" => "/v1/models/:model/predictions",
       "image-to-image" => "/v1/models/:model/predictions",
       "text-to-image" => "/v1/models/:model/predictions",
       "text-to-speech" => "/v1/models/:model/predictions",
       "text-to-video" => "/v1/models/:model/predictions"
     }},
    {"scaleway", "https://api.scaleway.ai", OpenAi, :as_is,
     %{"conversational" => @chat, "feature-extraction" => "/v1/embeddings"}},
    {"together", "https://api.together.xyz", Together, :schema,
     %{
       "conversational" => @chat,
       "feature-extraction" => "/v1/embeddings",
       "image-to-image" => "/v1/images/generations",
       "image-to-video" => "/v2/videos",
       "text-generation" => "/v1/completions",
       "text-to-image" => "/v1/images/generations",
       "text-to-speech" => "/v1/audio/speech",
       "text-to-video" => "/v2/videos"
     }},
    {"wavespeed", "https://api.wavespeed.ai", Wavespeed, :as_is,
     %{
       "image-to-image" => "/api/v3/:model",
       "image-to-video" => "/api/v3/:model",
       "text-to-image" => "/api/v3/:model",
       "text-to-video" => "/api/v3/:model"
     }},
    {"zai-org", "https://api.z.ai", ZaiOrg, :as_is,
     %{
       "conversational" => "/api/paas/v4/chat/completions",
       "text-to-image" => "/api/paas/v4/async/images/generations"
     }}
  ]

  @names Enum.map(@rows, &elem(&1, 0))

  @doc "Returns the names of the providers."
  @spec names() :: [String.t()]
  def names, do: @names

  @doc "Returns the row of a server with OpenAI's API at its URL."
  @spec openai() :: row()
  def openai do
    routes = %{
      "automatic-speech-recognition" => "/audio/transcriptions",
      "conversational" => "/chat/completions",
      "feature-extraction" => "/embeddings",
      "text-generation" => "/completions",
      "text-to-speech" => "/audio/speech"
    }

    %{name: "openai", url: nil, adapter: OpenAi, schema: :as_is, routes: routes}
  end

  @doc "Returns the row of a provider, or `nil` for one that is not known yet."
  @spec find(String.t()) :: row() | nil
  def find(name) do
    with {name, url, adapter, schema, routes} <- List.keyfind(@rows, name, 0),
         do: %{name: name, url: url, adapter: adapter, schema: schema, routes: routes}
  end
end
