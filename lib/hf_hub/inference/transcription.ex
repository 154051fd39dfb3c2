defmodule HfHub.Inference.Transcription do
  @moduledoc """
  The text of speech. Python: `AutomaticSpeechRecognitionOutput`.
  """

  alias HfHub.Inference.TranscriptionChunk

  use HfHub.Schema,
    text: {"text", :name, "whole text"},
    chunks: {"chunks", [TranscriptionChunk], "parts with their times, from models that return them"}
end
