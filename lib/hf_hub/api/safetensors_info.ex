defmodule HfHub.Api.SafetensorsInfo do
  @moduledoc """
  The number of a model's parameters, as counted by the Hub. Python: `SafeTensorsInfo`.

  `HfHub.Safetensors.metadata/2` reads the files' headers themselves.
  """

  use HfHub.Schema,
    parameters: {"parameters", {:map, :integer}, "number of parameters of each data type, such as `\"F32\"`"},
    total: {"total", :integer, "number of all parameters"}
end
