defmodule HfHub.Inference.Tables do
  # The option tables of `HfHub.Inference`.
  @moduledoc false

  alias HfHub.Inference.{Parameters, Providers}
  alias HfHub.Options

  @waiting [
    timeout: [
      type: {:or, [:pos_integer, {:in, [:infinity]}]},
      doc: "Maximum duration of the whole call, in milliseconds. Defaults to no limit."
    ],
    receive_timeout: [
      type: :pos_integer,
      doc:
        "Timeout for the response headers, and between two reads of the response, in milliseconds. Defaults to 600,000: " <>
          "models may be silent for a long time."
    ],
    loading_timeout: [
      type: :non_neg_integer,
      doc:
        "Maximum time to wait for a model that is being loaded, in milliseconds. Defaults to 300,000; 0 does not wait."
    ],
    on_wait: [
      type: {:fun, 1},
      doc:
        "Function called with a text before each pause, while a model is being loaded, a rate limit is exhausted, or a provider works on a result."
    ]
  ]

  @doc "Returns the options of `HfHub.Inference.new/1`."
  @spec client() :: Options.table()
  def client do
    [
      model: [
        type: :string,
        doc:
          "Id of the model on the Hub, or the URL of a server, such as an Inference Endpoint. Defaults to the Hub's " <>
            "recommendation for the task, where there is one."
      ],
      base_url: [
        type: :string,
        doc:
          "URL of a server, as for `:model`; the name that clients of OpenAI use. A URL that ends in `/v1` is that of a " <>
            "server with OpenAI's API, which has chats, texts, embeddings and speech below it."
      ],
      provider: [
        type: {:in, ["auto" | Providers.names()]},
        doc:
          "Provider that runs the model. With `\"auto\"`, chats go to the one that the Hub chooses, and other tasks to " <>
            "the first one of the model, in the order of your settings. It has no effect if the model is a URL.",
        default: "auto"
      ],
      bill_to: [type: :string, doc: "Organization to bill instead of the token's account."],
      headers: [type: :variables, doc: "More headers of each request."],
      provider_url: [
        type: :string,
        doc:
          "Base URL of the provider's API in place of its public one, such as a proxy's; only for keys of the provider's own."
      ],
      inference_router_url: [
        type: :string,
        doc:
          "Base URL of the router that forwards requests to providers; the token is sent to it. Defaults to the setting in " <>
            "`HfHub.Config`."
      ]
    ] ++ waiting() ++ Keyword.drop(common(), [:timeout, :download_timeout])
  end

  # The key of a provider is a token too.
  defp common do
    Keyword.update!(Options.common(), :token, fn rule ->
      Keyword.merge(rule,
        aliases: [:api_key],
        doc:
          "Token of the Hub, or a provider's own key, which is sent to that provider directly; `false` sends none. Defaults " <>
            "to the stored token, if any, which is sent to the Hub's own services only."
      )
    end)
  end

  @doc "Returns the options of every call."
  @spec call() :: Options.table()
  def call do
    [
      model: [type: :string, doc: "Model of this call. Defaults to the client's."],
      extra_body: [type: :map, doc: "More parameters, for example those that only one provider knows."]
    ] ++ waiting()
  end

  @doc "Returns the options of calls that wait."
  @spec waiting() :: Options.table()
  def waiting, do: @waiting

  @doc "Returns the parameters of chats."
  @spec chat() :: Options.table()
  def chat do
    Parameters.tokens([:temperature, :top_p, :seed, :stop, :frequency_penalty]) ++
      [
        max_tokens: [type: :pos_integer, doc: "Maximum number of tokens of the reply."],
        n: [type: :pos_integer, doc: "Number of replies."],
        presence_penalty: [type: :number, doc: "Penalty, from -2 to 2, of tokens that have occurred."],
        logit_bias: [type: :any, doc: "Bias of tokens, as the provider expects it."],
        logprobs: [type: :boolean, doc: "Whether to return the tokens' probabilities."],
        top_logprobs: [type: :non_neg_integer, doc: "Number of likely tokens to return at each place."],
        response_format: [
          type: :map,
          doc:
            "Form of the reply, such as `%{type: \"json_schema\", json_schema: %{name: \"answer\", schema: schema}}`; it is " <>
              "translated for providers with a form of their own."
        ],
        tools: [type: {:list, :map}, doc: "Functions that the model may call, as maps in OpenAI's form."],
        tool_choice: [
          type: {:or, [:string, :map]},
          doc: "Function that the model must call, or `\"auto\"`, `\"none\"` or `\"required\"`."
        ],
        tool_prompt: [type: :string, doc: "Text before the description of the tools."],
        stream_options: [
          type: :map,
          doc: "Options of streams: `%{include_usage: true}` ends the stream with a chunk that has the usage."
        ]
      ]
  end

  @doc "Returns the parameters of the text generation."
  @spec generation() :: Options.table()
  def generation do
    Parameters.tokens(
      ~w(max_new_tokens temperature do_sample top_k top_p typical_p frequency_penalty seed stop)a
    ) ++
      [
        repetition_penalty: [type: :number, doc: "Penalty of repeated tokens; 1.0 is none."],
        best_of: [
          type: :pos_integer,
          doc: "Number of texts to generate, of which the likeliest one is returned."
        ],
        return_full_text: [type: :boolean, doc: "Whether the result begins with the prompt."],
        details: [
          type: :boolean,
          doc: "Whether to return a `HfHub.Inference.Generation` instead of the text alone."
        ],
        decoder_input_details: [
          type: :boolean,
          doc: "Whether the details have the probabilities of the prompt's tokens, too."
        ],
        top_n_tokens: [type: :pos_integer, doc: "Number of likely tokens to return at each place."],
        truncate: [type: :pos_integer, doc: "Maximum length of the prompt, in tokens."],
        watermark: [type: :boolean, doc: "Whether to mark the text by the choice of tokens."],
        grammar: [type: :map, doc: "Grammar of the text, as a map of `:type` and `:value`."],
        adapter_id: [type: :string, doc: "Id of a LoRA adapter to apply."]
      ]
  end
end
