defmodule HfHub.Jobs.JobAccelerator do
  @moduledoc """
  The accelerators of hardware for jobs. Python: `JobAccelerator`.
  """

  use HfHub.Schema,
    type: {"type", :string, "type, such as `\"gpu\"`"},
    model: {"model", :string, "model, such as `\"A10G\"`"},
    quantity: {"quantity", :string, "number of accelerators"},
    vram: {"vram", :string, "memory of all accelerators, such as `\"24 GB\"`"},
    manufacturer: {"manufacturer", :string, "manufacturer"}
end
