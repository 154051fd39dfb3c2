defmodule HfHub.Inference.AudioTrack do
  @moduledoc """
  An audio file that a model made of another one. Python: `AudioToAudioOutputElement`.
  """

  alias HfHub.Inference.{Content, Media}

  use HfHub.Schema,
    label: {"label", :string, "content of the track"},
    audio: {"blob", Media, "audio file", by: :audio}

  defp audio(blob), do: Content.media(blob, nil)
end
