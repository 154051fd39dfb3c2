defmodule HfHub.Inference.ChatChunk do
  @moduledoc """
  A part of a chat model's reply, while it is generated. Python: `ChatCompletionStreamOutput`.

  `HfHub.Inference.text/1` returns its text.
  """

  alias HfHub.Inference.{ChatChoice, Usage}

  use HfHub.Schema,
    id: {"id", :string, "id of the reply"},
    model: {"model", :string, "name of the model"},
    created: {"created", :timestamp, "time of creation"},
    choices:
      {"choices", [ChatChoice], "next part of each choice; none in a chunk with the usage", default: []},
    usage: {"usage", Usage, "number of tokens; only in the last chunk, and only if asked for"},
    system_fingerprint: {"system_fingerprint", :string, "version of the server"}
end
