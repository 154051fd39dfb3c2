defmodule HfHub.Jobs.GpuMetrics do
  @moduledoc """
  A sample of what a job uses of one GPU.
  """

  use HfHub.Schema,
    utilization: {"utilization", :number, "use in percent"},
    memory_used_bytes: {"memory_used_bytes", :integer, "memory in use"},
    memory_total_bytes: {"memory_total_bytes", :integer, "memory of the GPU"}
end
