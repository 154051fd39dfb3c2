defmodule HfHub.Inference do
  @moduledoc """
  Runs models: chats, embeddings, images, speech and more, at the Hub's inference providers, at Inference Endpoints, and at
  any server with OpenAI's API. Python: `InferenceClient`.

      client = HfHub.Inference.new(model: "Qwen/Qwen3-8B")

      {:ok, reply} =
        HfHub.Inference.chat_completion(client, [%{role: "user", content: "Tell me a joke."}])

      IO.puts(HfHub.Inference.text(reply))

  A reply can be read while it is generated:

      {:ok, chunks} = HfHub.Inference.chat_completion(client, messages, stream: true)
      for chunk <- chunks, do: IO.write(HfHub.Inference.text(chunk))

  ## Files

  Images, audio and other files are given as bytes, as `{:path, path}`, as a URL, or as an enumerable of iodata. Files that
  a model makes are a `HfHub.Inference.Media`; at most 64 MiB are read.

  A server that takes the bytes of a file gets them from disk piece by piece, so large files need no memory. An enumerable
  is written to a temporary file first. As an entry of JSON, which is how files are sent beside parameters, a file is in
  memory.

  ## Tokens

  A token of the Hub, which begins with `hf_`, goes to the Hub's router, which passes the request on and bills your
  account. Any other key goes to its provider directly, and nowhere else. The stored token is sent to the Hub's own
  services only; for a server of your own, pass its key as `:token`.
  """

  alias HfHub.{Error, Options}

  alias HfHub.Inference.{
    Batch,
    Call,
    Chat,
    Client,
    ChatChunk,
    ChatCompletion,
    Foreign,
    Generation,
    Tables,
    Tasks,
    TextGeneration,
    Tools
  }

  alias HfHub.Schema.Type

  @typedoc "An embedding, or embeddings in lists: one for each text, or for each token of it."
  @type embedding :: [number() | embedding()]

  @typedoc "The result of one input of a batch."
  @type result :: {:ok, term()} | {:error, Error.t()}

  @typedoc "A file to send: bytes, a path, a URL, or an enumerable of iodata."
  @type content :: binary() | {:path, Path.t()} | Enumerable.t()

  @doc """
  Returns a client.

  ## Options

  #{Options.docs(Tables.client())}

  ## Examples

      HfHub.Inference.new(model: "meta-llama/Llama-3.1-8B-Instruct", provider: "groq")
      HfHub.Inference.new(base_url: "http://localhost:8000/v1")

      HfHub.Inference.new(
        provider: "openai",
        model: "gpt-4o",
        token: System.fetch_env!("OPENAI_API_KEY")
      )
  """
  @doc python: "InferenceClient"
  @spec new(keyword()) :: Client.t()
  def new(opts \\ []) do
    opts = Options.validate!(opts, Tables.client())

    if opts[:model] && opts[:base_url],
      do: raise(ArgumentError, "options :model and :base_url are both the model; pass one of them")

    check_server!(opts)
    {own, opts} = Keyword.split(opts, [:model, :base_url, :provider, :bill_to, :provider_url, :headers])

    %Client{
      model: own[:model] || own[:base_url],
      provider: own[:provider],
      bill_to: own[:bill_to],
      provider_url: own[:provider_url],
      headers: own[:headers] || %{},
      opts: Options.given(opts)
    }
  end

  # The id of a model has no scheme, so that `localhost:8000` would be taken for one.
  defp check_server!(opts) do
    if opts[:model] == "",
      do: raise(ArgumentError, "expected option :model to be the id of a model or a URL, got: \"\"")

    url = opts[:base_url]

    unless url == nil or String.starts_with?(url, ["http://", "https://"]) do
      raise ArgumentError,
            "expected option :base_url to begin with http:// or https://, got: #{Options.shown(url)}"
    end
  end

  @doc """
  Returns the reply of a chat model to messages.

  Messages are maps with `:role` and `:content`, as OpenAI defines them, or messages of earlier replies. The content may be
  a list of texts and images.

  With `stream: true`, the result is `{:ok, chunks}`, a lazy enumerable of `HfHub.Inference.ChatChunk`, which raises
  `HfHub.Error`. The request is sent when it is read; halting it closes the connection. `collect/1` puts the chunks
  together.

  ## Options

    * `:stream` (a boolean) - Whether to return the chunks of the reply. Defaults to `false`.
  #{Options.docs(Tables.chat() ++ Tables.call())}

  ## Examples

      messages = [
        %{role: "system", content: "Reply in one word."},
        %{role: "user", content: "What is the capital of France?"}
      ]

      {:ok, reply} = HfHub.Inference.chat_completion(client, messages, max_tokens: 10)
      "Paris" = HfHub.Inference.text(reply)
  """
  @doc python: "InferenceClient.chat_completion"
  @spec chat_completion(Client.t(), [map()], keyword()) ::
          {:ok, ChatCompletion.t() | Enumerable.t()} | {:error, Error.t()}
  def chat_completion(%Client{} = client, messages, opts \\ []) do
    {stream?, opts} = stream(opts)
    if stream?, do: {:ok, Chat.stream(client, messages, opts)}, else: Chat.complete(client, messages, opts)
  end

  @doc "Same as `chat_completion/3`, but returns the reply or raises `HfHub.Error`."
  @spec chat_completion!(Client.t(), [map()], keyword()) :: ChatCompletion.t() | Enumerable.t()
  def chat_completion!(client, messages, opts \\ []),
    do: Error.unwrap!(chat_completion(client, messages, opts))

  defp stream(opts) do
    {own, opts} = if Keyword.keyword?(opts), do: Keyword.split(opts, [:stream]), else: {[], opts}
    {Options.validate!(own, stream: [type: :boolean, default: false])[:stream], opts}
  end

  @doc """
  Returns the text of a chat's reply, or of a chunk of it: that of the first choice, and `""` if there is none.

  ## Examples

      chunks |> Stream.map(&HfHub.Inference.text/1) |> Enum.each(&IO.write/1)
  """
  @spec text(ChatCompletion.t() | ChatChunk.t()) :: String.t()
  def text(%{choices: [%{message: %{content: text}} | _others]}) when is_binary(text), do: text
  def text(%{choices: _no_text}), do: ""

  @doc """
  Reads the chunks of a chat's stream and returns the whole reply, with the calls of tools put together.

  The error of a stream that breaks has what arrived before as `"partial"` in its `:details`.

  ## Examples

      {:ok, chunks} = HfHub.Inference.chat_completion(client, messages, stream: true)
      shown = Stream.each(chunks, &IO.write(HfHub.Inference.text(&1)))
      {:ok, reply} = HfHub.Inference.collect(shown)
  """
  @spec collect(Enumerable.t()) :: {:ok, ChatCompletion.t()} | {:error, Error.t()}
  def collect(chunks), do: Chat.assemble(chunks)

  @doc "Same as `collect/1`, but returns the reply or raises `HfHub.Error`."
  @spec collect!(Enumerable.t()) :: ChatCompletion.t()
  def collect!(chunks), do: Error.unwrap!(collect(chunks))

  @doc """
  Chats with a model that may call functions, until it replies without a call.

  Returns the reply and all messages, to which the next one can be added. An exception in a function is not rescued.

  ## Options

  #{Options.docs(Tools.table())}

  All others are those of `chat_completion/3`, among them `:tools`, which describes the functions to the model.

  ## Examples

      weather = %{
        type: "function",
        function: %{
          name: "weather",
          description: "Returns the weather in a city.",
          parameters: %{type: "object", properties: %{city: %{type: "string"}}, required: ["city"]}
        }
      }

      {:ok, %{reply: reply}} =
        HfHub.Inference.run_tools(client, [%{role: "user", content: "How is the weather in Paris?"}],
          tools: [weather],
          functions: %{"weather" => fn %{"city" => city} -> "sunny in \#{city}" end}
        )
  """
  @spec run_tools(Client.t(), [map()], keyword()) ::
          {:ok, %{reply: ChatCompletion.t(), messages: [map()]}} | {:error, Error.t()}
  def run_tools(%Client{} = client, messages, opts), do: Tools.run(client, messages, opts)

  @doc "Same as `run_tools/3`, but returns the reply and the messages, or raises `HfHub.Error`."
  @spec run_tools!(Client.t(), [map()], keyword()) :: %{reply: ChatCompletion.t(), messages: [map()]}
  def run_tools!(client, messages, opts), do: Error.unwrap!(run_tools(client, messages, opts))

  @doc """
  Generates a text that continues a prompt.

  With `stream: true`, the result is `{:ok, parts}`, a lazy enumerable of texts, or of `HfHub.Inference.GenerationChunk` with
  `details: true`, which raises `HfHub.Error`.

  ## Options

    * `:stream` (a boolean) - Whether to return the parts of the text. Defaults to `false`.
  #{Options.docs(Tables.generation() ++ Tables.call())}

  ## Examples

      {:ok, text} =
        HfHub.Inference.text_generation(client, "The huggingface_hub library is ", max_new_tokens: 12)
  """
  @doc python: "InferenceClient.text_generation"
  @spec text_generation(Client.t(), String.t(), keyword()) ::
          {:ok, String.t() | Generation.t() | Enumerable.t()} | {:error, Error.t()}
  def text_generation(%Client{} = client, prompt, opts \\ []) do
    {stream?, opts} = stream(opts)

    if stream?,
      do: {:ok, TextGeneration.stream(client, prompt, opts)},
      else: TextGeneration.generate(client, prompt, opts)
  end

  @doc "Same as `text_generation/3`, but returns the text or raises `HfHub.Error`."
  @spec text_generation!(Client.t(), String.t(), keyword()) :: String.t() | Generation.t() | Enumerable.t()
  def text_generation!(client, prompt, opts \\ []), do: Error.unwrap!(text_generation(client, prompt, opts))

  for {name, row} <- Tasks.all() do
    args = for arg <- row[:args], do: Macro.var(arg, __MODULE__)

    types =
      for arg <- row[:args] do
        case Tasks.sort(name, arg) do
          :file -> quote(do: content())
          :table -> quote(do: %{String.t() => [String.t()]})
          :texts -> quote(do: [String.t()])
          :text_or_texts -> quote(do: String.t() | [String.t()])
          :text -> quote(do: String.t())
        end
      end

    @doc """
    #{String.trim(row[:doc])}

    ## Options

    #{Options.docs(row[:params] ++ Tables.call())}

    ## Examples

    #{row[:example] |> String.trim_trailing() |> String.replace(~r/^(?=.)/m, "    ")}
    """
    @doc python: "InferenceClient.#{name}"
    @spec unquote(name)(Client.t(), unquote_splicing(types), keyword()) ::
            {:ok, unquote(Type.spec(row[:returns]))} | {:error, Error.t()}
    def unquote(name)(%Client{} = client, unquote_splicing(args), opts \\ []),
      do: Call.task(client, unquote(name), [unquote_splicing(args)], opts)

    @doc "Same as `#{name}/#{length(args) + 2}`, but returns the result or raises `HfHub.Error`."
    @spec unquote(:"#{name}!")(Client.t(), unquote_splicing(types), keyword()) ::
            unquote(Type.spec(row[:returns]))
    def unquote(:"#{name}!")(client, unquote_splicing(args), opts \\ []),
      do: Error.unwrap!(unquote(name)(client, unquote_splicing(args), opts))
  end

  @request [
    method: [type: {:in, [:get, :post]}, default: :post, doc: "Method of the request."],
    path: [
      type: :string,
      default: "",
      doc: "Path below the URL of the server, or below the model at hf-inference."
    ],
    json: [type: :any, doc: "Body, as a term that is sent as JSON."],
    body: [type: :any, doc: "Body, as a file; see \"Files\" above."]
  ]

  @doc """
  Sends a request of your own to the server of a client's model: a model with a URL, or one at hf-inference.

  Returns what the server responded: JSON as maps with string keys, anything else as bytes.

  ## Options

  #{Options.docs(@request ++ Tables.call())}

  ## Examples

      client = HfHub.Inference.new(base_url: "http://localhost:8000")
      {:ok, %{"data" => models}} = HfHub.Inference.request(client, method: :get, path: "/v1/models")
  """
  @spec request(Client.t(), keyword()) :: {:ok, term()} | {:error, Error.t()}
  def request(%Client{} = client, opts \\ []),
    do: Call.raw(client, Options.validate!(opts, @request ++ Tables.call()))

  @doc "Same as `request/2`, but returns the response or raises `HfHub.Error`."
  @spec request!(Client.t(), keyword()) :: term()
  def request!(client, opts \\ []), do: Error.unwrap!(request(client, opts))

  @doc """
  Returns a description of a server with text-generation-inference and of its model, as a map with string keys. Options: those
  of every call; see `request/2`.

  ## Examples

      {:ok, %{"model_id" => _id}} = HfHub.Inference.get_endpoint_info(client)
  """
  @doc python: "InferenceClient.get_endpoint_info"
  @spec get_endpoint_info(Client.t(), keyword()) :: {:ok, map()} | {:error, Error.t()}
  def get_endpoint_info(%Client{} = client, opts \\ []),
    do: request(client, [method: :get, path: "/info"] ++ opts)

  @doc "Same as `get_endpoint_info/2`, but returns the map or raises `HfHub.Error`."
  @spec get_endpoint_info!(Client.t(), keyword()) :: map()
  def get_endpoint_info!(client, opts \\ []), do: Error.unwrap!(get_endpoint_info(client, opts))

  @doc """
  Returns whether the server of a client whose model is a URL reports that it works. Options: those of every call; see
  `request/2`.

  ## Examples

      {:ok, true} = HfHub.Inference.health_check(client)
  """
  @doc python: "InferenceClient.health_check"
  @spec health_check(Client.t(), keyword()) :: {:ok, boolean()} | {:error, Error.t()}
  def health_check(%Client{} = client, opts \\ []) do
    client
    |> request([method: :get, path: "/health", loading_timeout: 0] ++ opts)
    |> case do
      {:ok, _content} -> {:ok, true}
      {:error, %{status: status}} when is_integer(status) -> {:ok, false}
      {:error, error} -> {:error, error}
    end
  end

  @doc "Same as `health_check/2`, but returns the boolean or raises `HfHub.Error`."
  @spec health_check!(Client.t(), keyword()) :: boolean()
  def health_check!(client, opts \\ []), do: Error.unwrap!(health_check(client, opts))

  @doc """
  Returns a lazy stream of the results of `fun` for many inputs, several at once, in the order of the inputs.

  `fun` returns `{:ok, value}` or `{:error, error}`. Each runs in a process of its own; one that exits or takes too long is an
  `{:error, error}`, too, and the others go on. No more inputs are read than are being worked on.

  ## Options

  #{Options.docs(Batch.table())}

  ## Examples

      texts
      |> HfHub.Inference.map(&HfHub.Inference.feature_extraction(client, &1), max_concurrency: 16)
      |> Stream.zip(texts)
      |> Enum.each(fn {{:ok, embedding}, text} -> store(text, embedding) end)
  """
  @spec map(Enumerable.t(), (term() -> result()), keyword()) :: Enumerable.t()
  def map(inputs, fun, opts \\ []) when is_function(fun, 1), do: Batch.map(inputs, fun, opts)

  @doc """
  Returns embeddings as an `Nx` tensor of 32-bit floats. Requires the package `nx`.

  ## Examples

      {:ok, embeddings} = HfHub.Inference.feature_extraction(client, ["a cat", "a dog"])
      HfHub.Inference.to_nx(embeddings)
  """
  @spec to_nx(embedding()) :: term()
  def to_nx(embeddings), do: Foreign.call(Nx, :tensor, [embeddings, [type: {:f, 32}]], "nx")
end
