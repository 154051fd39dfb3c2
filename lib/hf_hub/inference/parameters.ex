defmodule HfHub.Inference.Parameters do
  # Parameters that several tasks have.
  @moduledoc false

  alias HfHub.Options

  @results [top_k: [type: :pos_integer, doc: "Maximum number of results."]]

  @transforms [:sigmoid, :softmax, :none]

  @question [
    doc_stride: [
      type: :pos_integer,
      doc: "Overlap of the pieces that a long context is divided into, in tokens."
    ],
    handle_impossible_answer: [type: :boolean, doc: "Whether the result may be empty."],
    max_answer_len: [type: :pos_integer, doc: "Maximum length of a result."],
    max_question_len: [type: :pos_integer, doc: "Maximum length of the question, in tokens."],
    max_seq_len: [
      type: :pos_integer,
      doc: "Maximum length of a piece of the context with the question, in tokens."
    ]
  ]

  @tokens [
    do_sample: [
      type: :boolean,
      doc: "Whether tokens are drawn at random instead of the likeliest one each time."
    ],
    frequency_penalty: [type: :number, doc: "Penalty, from -2 to 2, of tokens by how often they occurred."],
    max_new_tokens: [type: :pos_integer, doc: "Maximum number of new tokens."],
    seed: [type: :non_neg_integer, doc: "Seed of the random numbers."],
    stop: [type: :patterns, doc: "Texts that end the result."],
    temperature: [type: :number, doc: "Randomness of the result: near 0, the likeliest tokens only."],
    top_k: [type: :pos_integer, doc: "Number of likeliest tokens to choose from."],
    top_p: [type: :number, doc: "Probability that the likeliest tokens to choose from have together."],
    typical_p: [type: :number, doc: "Probability of the tokens to choose from in typical sampling."]
  ]

  @doc "Returns the maximum number of results."
  @spec results() :: Options.table()
  def results, do: @results

  @doc "Returns the parameters of classifications."
  @spec classification() :: Options.table()
  def classification do
    @results ++
      [
        function_to_apply: [
          type: {:in, @transforms},
          doc: "Function that turns the model's output into scores."
        ]
      ]
  end

  @doc "Returns the parameters of question answering."
  @spec question() :: Options.table()
  def question, do: @question

  @doc "Returns parameters of a model that generates one token after another."
  @spec tokens([atom()]) :: Options.table()
  def tokens(names), do: for(name <- names, do: {name, Keyword.fetch!(@tokens, name)})
end
