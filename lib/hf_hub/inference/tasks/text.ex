defmodule HfHub.Inference.Tasks.Text do
  # Tasks with texts and tables.
  @moduledoc false

  alias HfHub.Inference.{Answer, Classification, Entity, FilledMask, Parameters, TableAnswer}

  @spaces [
    clean_up_tokenization_spaces: [type: :boolean, doc: "Whether to remove superfluous spaces in the result."],
    generate_parameters: [type: :map, doc: "More parameters of the text generation."]
  ]

  @cut [:do_not_truncate, :longest_first, :only_first, :only_second]

  @truncation [truncation: [type: {:in, @cut}, doc: "How a text that is too long is shortened."]]

  @rows [
    feature_extraction: [
      task: "feature-extraction",
      doc: """
      Returns the embedding of a text, or of each text of a list: lists of numbers, nested as the model returns them.
      `HfHub.Inference.to_nx/1` makes a tensor of them.
      """,
      args: [:text],
      params: [
        normalize: [type: :boolean, doc: "Whether to scale the embeddings to length 1."],
        prompt_name: [
          type: :string,
          doc: "Name of the prompt, in the model's configuration, to put before the text."
        ],
        truncate: [type: :boolean, doc: "Whether to shorten a text that is too long."],
        truncation_direction: [type: {:in, [:left, :right]}, doc: "The end at which a text is shortened."],
        dimensions: [type: :pos_integer, doc: "Length of the embeddings, for models with several."],
        encoding_format: [type: {:in, [:float, :base64]}, doc: "How the server sends the numbers."]
      ],
      returns: {:type, HfHub.Inference, :embedding},
      example: """
      {:ok, [first, second]} = HfHub.Inference.feature_extraction(client, ["a cat", "a dog"])
      """
    ],
    fill_mask: [
      task: "fill-mask",
      doc: "Fills in the masked word of a text.",
      args: [:text],
      params:
        Parameters.results() ++ [targets: [type: {:list, :string}, doc: "The only words to choose from."]],
      returns: [FilledMask],
      example: """
      {:ok, [%{token_str: word} | _rest]} =
        HfHub.Inference.fill_mask(client, "The capital of France is [MASK].")
      """
    ],
    question_answering: [
      task: "question-answering",
      doc: "Finds what a question asks for in a text.",
      args: [:question, :context],
      params:
        [align_to_words: [type: :boolean, doc: "Whether results begin and end at words."]] ++
          Parameters.question() ++ Parameters.results(),
      returns: [Answer],
      example: """
      {:ok, [%{answer: "Clara"}]} =
        HfHub.Inference.question_answering(
          client,
          "What is my name?",
          "My name is Clara, and I live in Berkeley."
        )
      """
    ],
    sentence_similarity: [
      task: "sentence-similarity",
      doc: "Returns how similar sentences are to a sentence, as a number for each.",
      args: [:sentence, :other_sentences],
      params: [],
      returns: [:number],
      example: """
      {:ok, [near, far]} =
        HfHub.Inference.sentence_similarity(client, "a happy person", [
          "a very happy person",
          "a sunny day"
        ])
      """
    ],
    summarization: [
      task: "summarization",
      doc: "Summarizes a text.",
      args: [:text],
      params: @spaces ++ @truncation,
      returns: :string,
      example: """
      {:ok, summary} = HfHub.Inference.summarization(client, File.read!("report.txt"))
      """
    ],
    table_question_answering: [
      task: "table-question-answering",
      doc: "Finds what a question asks for in a table, which is a map of names to columns of texts.",
      args: [:table, :question],
      params: [
        padding: [type: {:in, [:do_not_pad, :longest, :max_length]}, doc: "How short rows are filled up."],
        sequential: [
          type: :boolean,
          doc: "Whether questions refer to earlier ones, and are handled one by one."
        ],
        truncation: [type: :boolean, doc: "Whether a table that is too long is shortened."]
      ],
      returns: TableAnswer,
      example: """
      table = %{"Repository" => ["Transformers", "Datasets"], "Stars" => ["36542", "4512"]}

      {:ok, %{answer: stars}} =
        HfHub.Inference.table_question_answering(
          client,
          table,
          "How many stars does Transformers have?"
        )
      """
    ],
    tabular_classification: [
      task: "tabular-classification",
      doc:
        "Classifies the rows of a table, which is a map of names to columns of texts, and returns a label for each.",
      args: [:table],
      params: [],
      returns: [:any],
      example: """
      {:ok, labels} =
        HfHub.Inference.tabular_classification(client, %{
          "acidity" => ["7.4", "7.8"],
          "ph" => ["3.5", "3.2"]
        })
      """
    ],
    tabular_regression: [
      task: "tabular-regression",
      doc: "Returns a number for each row of a table, which is a map of names to columns of texts.",
      args: [:table],
      params: [],
      returns: [:number],
      example: """
      {:ok, weights} =
        HfHub.Inference.tabular_regression(client, %{
          "height" => ["11.52", "12.48"],
          "length" => ["23.2", "24.0"]
        })
      """
    ],
    text_classification: [
      task: "text-classification",
      doc: "Classifies a text, for example by its sentiment.",
      args: [:text],
      params: Parameters.classification(),
      returns: [Classification],
      example: """
      {:ok, [%{label: "POSITIVE"} | _rest]} =
        HfHub.Inference.text_classification(client, "I like you")
      """
    ],
    token_classification: [
      task: "token-classification",
      doc: "Labels parts of a text, such as names of people and places.",
      args: [:text],
      params: [
        aggregation_strategy: [
          type: {:in, [:none, :simple, :first, :average, :max]},
          doc: "How tokens are joined to larger parts."
        ],
        ignore_labels: [type: {:list, :string}, doc: "Labels to leave out."],
        stride: [
          type: :pos_integer,
          doc: "Overlap of the pieces that a long text is divided into, in tokens."
        ]
      ],
      returns: [Entity],
      example: """
      {:ok, entities} =
        HfHub.Inference.token_classification(client, "My name is Sarah and I live in London")
      """
    ],
    translation: [
      task: "translation",
      doc: "Translates a text. Models for several languages need `:src_lang` and `:tgt_lang`.",
      args: [:text],
      params:
        [
          src_lang: [type: :string, doc: "Language of the text, as the model names it."],
          tgt_lang: [type: :string, doc: "Language to translate to, as the model names it."]
        ] ++ @spaces ++ @truncation,
      returns: :string,
      example: """
      {:ok, french} =
        HfHub.Inference.translation(client, "My name is Sarah", src_lang: "en_XX", tgt_lang: "fr_XX")
      """
    ],
    zero_shot_classification: [
      task: "zero-shot-classification",
      doc: "Classifies a text by labels of your choice.",
      args: [:text, :labels],
      params: [
        multi_label: [type: :boolean, default: false, doc: "Whether several labels can be true."],
        hypothesis_template: [type: :string, doc: "Sentence with `{}` in the place of a label."]
      ],
      returns: [Classification],
      example: """
      {:ok, [%{label: "science"} | _rest]} =
        HfHub.Inference.zero_shot_classification(client, "A new planet was found", [
          "science",
          "politics"
        ])
      """
    ]
  ]

  @doc "Returns the rows; see `HfHub.Inference.Tasks`."
  @spec rows() :: keyword(keyword())
  def rows, do: @rows
end
