defmodule HfHub.Inference.TranscriptionChunk do
  @moduledoc """
  A part of a transcription. Python: `AutomaticSpeechRecognitionOutputChunk`.
  """

  use HfHub.Schema,
    text: {"text", :string, "text of the part"},
    timestamp: {"timestamp", [:number], "beginning and end, in seconds"}
end
