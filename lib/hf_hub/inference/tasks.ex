defmodule HfHub.Inference.Tasks do
  # The tasks whose functions differ only in their arguments, parameters and results, as data: `HfHub.Inference` makes
  # a function of each row.
  #
  #   * `task` - its name at the Hub
  #   * `args` - the arguments after the client
  #   * `params` - option table of the parameters, which are sent to the model
  #   * `returns` - type of the result, as in `HfHub.Schema.Type`; how it is decoded is in `HfHub.Inference.Results`
  @moduledoc false

  alias HfHub.Inference.Tasks.{Audio, Image, Text}
  alias HfHub.Options

  @tasks Enum.sort(Audio.rows() ++ Image.rows() ++ Text.rows())

  @doc "Returns the rows by the names of their functions."
  @spec all() :: keyword(keyword())
  def all, do: @tasks

  @doc "Returns a row."
  @spec fetch!(atom()) :: keyword()
  def fetch!(name), do: Keyword.fetch!(@tasks, name)

  @doc "Returns what is sent for the arguments and parameters of a call: the input and the parameters."
  @spec request(atom(), [term()], keyword()) :: {term(), keyword()}
  def request(name, [image, question], params)
      when name in [:document_question_answering, :visual_question_answering],
      do: {%{question: question, image: {:base64, image}}, params}

  def request(:question_answering, [question, context], params),
    do: {%{question: question, context: context}, params}

  def request(:sentence_similarity, [sentence, others], params),
    do: {%{source_sentence: sentence, sentences: others}, params}

  def request(:table_question_answering, [table, query], params),
    do: {%{query: query, table: table}, params}

  def request(:zero_shot_classification, [text, labels], params),
    do: {text, [candidate_labels: labels] ++ params}

  def request(:zero_shot_image_classification, [_image, labels], _params) when length(labels) < 2,
    do: raise(ArgumentError, "expected at least two labels to compare, got: #{Options.shown(labels)}")

  def request(:zero_shot_image_classification, [image, labels], params),
    do: {image, [candidate_labels: labels] ++ params}

  def request(:translation, [text], params) do
    if params[:src_lang] == nil != (params[:tgt_lang] == nil),
      do: raise(ArgumentError, "expected both of the options :src_lang and :tgt_lang, or none")

    {text, params}
  end

  def request(_name, [input], params), do: {input, params}
end
