defmodule HfHub.Inference.ChatCompletion do
  @moduledoc """
  The reply of a chat model. Python: `ChatCompletionOutput`.

  `HfHub.Inference.text/1` returns the text of the first choice.
  """

  alias HfHub.Inference.{ChatChoice, Usage}

  use HfHub.Schema,
    id: {"id", :string, "id of the reply"},
    model: {"model", :string, "name of the model"},
    created: {"created", :timestamp, "time of creation"},
    choices: {"choices", [ChatChoice], "replies: one, or as many as `:n`", default: []},
    usage: {"usage", Usage, "number of tokens"},
    system_fingerprint: {"system_fingerprint", :string, "version of the server"},
    raw: {[], :map, "whole JSON object, including entries without a field"}
end
