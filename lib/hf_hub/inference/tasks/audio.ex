defmodule HfHub.Inference.Tasks.Audio do
  # Tasks with audio.
  @moduledoc false

  alias HfHub.Inference.{AudioTrack, Classification, Media, Parameters, Transcription}

  @sampling Parameters.tokens([:do_sample, :max_new_tokens, :temperature, :top_k, :top_p, :typical_p]) ++
              [
                early_stopping: [type: {:or, [:boolean, {:in, [:never]}]}, doc: "When beam search stops."],
                epsilon_cutoff: [type: :number, doc: "Minimum probability of a token for sampling."],
                eta_cutoff: [type: :number, doc: "Cutoff of eta sampling."],
                max_length: [type: :pos_integer, doc: "Maximum length, in tokens, including the input."],
                min_length: [type: :non_neg_integer, doc: "Minimum length, in tokens, including the input."],
                min_new_tokens: [type: :non_neg_integer, doc: "Minimum number of new tokens."],
                num_beam_groups: [type: :pos_integer, doc: "Number of groups of beams."],
                num_beams: [type: :pos_integer, doc: "Number of beams."],
                penalty_alpha: [type: :number, doc: "Penalty of repetition in contrastive search."],
                use_cache: [
                  type: :boolean,
                  doc: "Whether the model reuses what it has computed for earlier tokens."
                ]
              ]

  @rows [
    audio_classification: [
      task: "audio-classification",
      doc: "Classifies audio.",
      args: [:audio],
      params: Parameters.classification(),
      returns: [Classification],
      example: """
      {:ok, [%{label: label} | _less_likely]} =
        HfHub.Inference.audio_classification(client, {:path, "speech.flac"})
      """
    ],
    audio_to_audio: [
      task: "audio-to-audio",
      doc: "Makes new audio of audio, such as one track for each speaker.",
      args: [:audio],
      params: [],
      returns: [AudioTrack],
      example: """
      {:ok, tracks} = HfHub.Inference.audio_to_audio(client, {:path, "interview.flac"})
      for track <- tracks, do: File.write!("\#{track.label}.flac", track.audio.data)
      """
    ],
    automatic_speech_recognition: [
      task: "automatic-speech-recognition",
      doc: "Transcribes speech.",
      args: [:audio],
      params: [],
      returns: Transcription,
      example: """
      {:ok, %{text: text}} =
        HfHub.Inference.automatic_speech_recognition(client, {:path, "hello.flac"})
      """
    ],
    text_to_speech: [
      task: "text-to-speech",
      doc: "Speaks a text.",
      args: [:text],
      params: @sampling,
      returns: Media,
      example: """
      {:ok, speech} =
        HfHub.Inference.text_to_speech(client, "Hello world", extra_body: %{voice: "alloy"})

      File.write!("hello.flac", speech.data)
      """
    ]
  ]

  @doc "Returns the rows; see `HfHub.Inference.Tasks`."
  @spec rows() :: keyword(keyword())
  def rows, do: @rows
end
