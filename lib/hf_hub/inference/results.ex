defmodule HfHub.Inference.Results do
  # The results of the tasks, from the form that hf-inference returns them in.
  @moduledoc false

  alias HfHub.Decode

  alias HfHub.Inference.{
    Answer,
    AudioTrack,
    Classification,
    DetectedObject,
    Entity,
    FilledMask,
    Media,
    Segment,
    TableAnswer,
    Transcription
  }

  @lists %{
    audio_classification: Classification,
    audio_to_audio: AudioTrack,
    document_question_answering: Answer,
    fill_mask: FilledMask,
    image_classification: Classification,
    image_segmentation: Segment,
    object_detection: DetectedObject,
    question_answering: Answer,
    text_classification: Classification,
    token_classification: Entity,
    visual_question_answering: Answer,
    zero_shot_image_classification: Classification
  }

  @texts %{
    image_to_text: "generated_text",
    summarization: "summary_text",
    translation: "translation_text"
  }

  @doc "Returns the result of a task. Raises if the response has another form."
  @spec decode!(atom(), term()) :: term()
  def decode!(_name, %Media{} = media), do: media

  def decode!(name, json) when is_map_key(@lists, name), do: Enum.map(items(json), Decode.to(@lists[name]))

  def decode!(name, json) when is_map_key(@texts, name),
    do: json |> items() |> first() |> Decode.get(@texts[name]) |> Decode.text()

  def decode!(:automatic_speech_recognition, json), do: Decode.struct(Transcription, json)
  def decode!(:table_question_answering, json), do: Decode.struct(TableAnswer, json)
  def decode!(:zero_shot_classification, json), do: json |> paired() |> Enum.map(Decode.to(Classification))
  def decode!(:feature_extraction, json), do: numbers(json)
  def decode!(name, json) when name in [:sentence_similarity, :tabular_regression], do: numbers(json)
  def decode!(:tabular_classification, json), do: Decode.items(json, & &1)
  def decode!(_media, _json), do: raise(Decode.Error, message: "expected the bytes of a file")

  # Some models return one result without a list, some a list for each of the inputs.
  defp items([[_ | _] = items | _others]), do: items
  defp items([[]]), do: []
  defp items(items) when is_list(items), do: items
  defp items(%{} = item), do: [item]
  defp items(_other), do: raise(Decode.Error, message: "expected a JSON list")

  defp first([item | _others]), do: item
  defp first([]), do: raise(Decode.Error, message: "expected a result, got an empty list")

  # The form of older models.
  defp paired(%{"labels" => labels, "scores" => scores}) when is_list(labels) and is_list(scores),
    do: for({label, score} <- Enum.zip(labels, scores), do: %{"label" => label, "score" => score})

  defp paired(json), do: items(json)

  defp numbers(list) when is_list(list), do: Enum.map(list, &number/1)
  defp numbers(_other), do: raise(Decode.Error, message: "expected a list of numbers")

  defp number(number) when is_number(number), do: number
  defp number(list) when is_list(list), do: numbers(list)

  # `encoding_format: :base64`: little-endian numbers of 32 bits.
  defp number(text) when is_binary(text) do
    case Base.decode64(text) do
      {:ok, bytes} when rem(byte_size(bytes), 4) == 0 -> for <<number::float-little-32 <- bytes>>, do: number
      _other -> raise Decode.Error, message: "expected numbers in Base64"
    end
  end

  defp number(_other), do: raise(Decode.Error, message: "expected a number")
end
