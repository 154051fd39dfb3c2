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

  @doc "Returns the sort of an argument: a file, a table, a text, texts, or one or more texts."
  @spec sort(atom(), atom()) :: :file | :table | :text | :texts | :text_or_texts
  def sort(_name, arg) when arg in [:audio, :image], do: :file
  def sort(_name, :table), do: :table
  def sort(_name, arg) when arg in [:labels, :other_sentences], do: :texts
  def sort(:feature_extraction, _arg), do: :text_or_texts
  def sort(_name, _arg), do: :text

  @doc "Raises `ArgumentError` unless the arguments of a call have the right types."
  @spec check!(atom(), [term()]) :: :ok
  def check!(name, args) do
    for {arg, value} <- Enum.zip(fetch!(name)[:args], args), sort = sort(name, arg), not is?(sort, value) do
      what = arg |> to_string() |> String.replace("_", " ")
      raise ArgumentError, "expected the #{what} to be #{shown(sort)}, got: #{Options.shown(value)}"
    end

    :ok
  end

  # Files are checked where they are read.
  defp is?(:file, _value), do: true
  defp is?(:table, value), do: is_map(value)
  defp is?(:text, value), do: is_binary(value) and String.valid?(value)
  defp is?(:texts, value), do: match?([_ | _], value) and Enum.all?(value, &is?(:text, &1))
  defp is?(:text_or_texts, value), do: value == [] or is?(:text, value) or is?(:texts, value)

  defp shown(:table), do: "a map of columns"
  defp shown(:text), do: "a string"
  defp shown(:texts), do: "a list of strings"
  defp shown(:text_or_texts), do: "a string or a list of strings"

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
