defmodule HfHub.Inference.Provider do
  # What differs between providers. Each function has a default; errors are raised as `HfHub.Error`.
  @moduledoc false

  alias HfHub.Error
  alias HfHub.Inference.{Content, Route}
  alias HfHub.Request.Form

  @typedoc "What a call sends: its input and its parameters, with names as strings."
  @type given :: {input :: term(), parameters :: %{String.t() => term()}}

  @typedoc "A body of JSON, as pairs in the order that they are sent in or as a map, or of bytes with their media type."
  @type body ::
          {:json, [{String.t(), term()}] | map()}
          | {:bytes, Content.body(), String.t() | nil}
          | {:pieces, [Form.piece()], String.t()}

  @typedoc "A response: JSON, or bytes."
  @type answer :: %{content: term(), content_type: String.t() | nil}

  @doc "Returns the path below the base URL."
  @callback path(task :: String.t(), template :: String.t(), Route.t()) :: String.t()

  @doc "Returns the headers that only this provider needs."
  @callback headers(Route.t()) :: [{String.t(), String.t()}]

  @doc "Returns the body of a request for a task."
  @callback body(task :: String.t(), given(), Route.t()) :: body()

  @doc "Returns the result in a response, in the form of hf-inference; media are `HfHub.Inference.Media`."
  @callback result(task :: String.t(), answer(), Route.t()) :: term()

  # Tasks whose result is the bytes of a file, at hf-inference and some others.
  @media ~w(image-to-image image-to-video text-to-image text-to-speech text-to-video)

  @doc "Returns whether a task's result is a file."
  @spec media?(String.t()) :: boolean()
  def media?(task), do: task in @media

  @doc "Defines the defaults, which are those of OpenAI's API."
  defmacro __using__(_opts) do
    quote do
      @behaviour HfHub.Inference.Provider

      alias HfHub.Inference.{Content, Media, Provider, Route}
      alias HfHub.Inference.Providers.OpenAi

      @impl true
      def path(_task, template, route), do: Provider.path(template, route)

      @impl true
      def headers(_route), do: []

      @impl true
      def body(task, given, route), do: OpenAi.body(task, given, route)

      @impl true
      def result(task, answer, route), do: OpenAi.result(task, answer, route)

      defoverridable path: 3, headers: 1, body: 3, result: 3
    end
  end

  @doc "Returns a route of the table with the model's name in it."
  @spec path(String.t(), Route.t()) :: String.t()
  def path(template, route) do
    model = route.model |> String.split("/") |> Enum.map_join("/", &URI.encode(&1, fn c -> segment?(c) end))
    String.replace(template, ":model", model)
  end

  # A colon separates a model from its version.
  defp segment?(char), do: URI.char_unreserved?(char) or char in [?:, ?@]

  @doc "Returns an entry of a JSON response at a path of names and indices. Raises if it is missing."
  @spec fetch!(term(), [String.t() | non_neg_integer()], Route.t()) :: term()
  def fetch!(json, path, route) do
    case Enum.reduce(path, json, &entry/2) do
      nil -> unexpected!(route, "#{Enum.join(path, ".")} is missing")
      found -> found
    end
  end

  defp entry(name, %{} = json) when is_binary(name), do: json[name]
  defp entry(index, list) when is_integer(index) and is_list(list), do: Enum.at(list, index)
  defp entry(_name, _other), do: nil

  @doc "Returns an entry that must be a text."
  @spec text!(term(), [String.t() | non_neg_integer()], Route.t()) :: String.t()
  def text!(json, path, route) do
    case fetch!(json, path, route) do
      text when is_binary(text) -> text
      _other -> unexpected!(route, "#{Enum.join(path, ".")} is not a string")
    end
  end

  @doc "Raises the error for a response of another form."
  @spec unexpected!(Route.t(), String.t()) :: no_return()
  def unexpected!(route, why),
    do: raise(Error.new(:invalid_response, "unexpected response from #{route.provider}: #{why}"))

  @doc "Raises the error for work that failed at the provider."
  @spec failed!(Route.t(), term()) :: no_return()
  def failed!(route, why) do
    reason = if is_binary(why) and why != "", do: why
    raise Error.new(:server, "#{route.provider} could not produce the result", reason: reason)
  end
end
