defmodule HfHub.Jobs.JobMetrics do
  @moduledoc """
  A sample of what a job uses.
  """

  alias HfHub.Jobs.GpuMetrics

  use HfHub.Schema,
    cpu_usage_pct: {"cpu_usage_pct", :number, "use of the processors in percent"},
    cpu_millicores: {"cpu_millicores", :integer, "thousandths of processors it may use"},
    memory_used_bytes: {"memory_used_bytes", :integer, "memory in use"},
    memory_total_bytes: {"memory_total_bytes", :integer, "memory it may use"},
    rx_bps: {"rx_bps", :number, "bytes received per second"},
    tx_bps: {"tx_bps", :number, "bytes sent per second"},
    gpus: {"gpus", {:map, GpuMetrics}, "GPUs by id"},
    replica: {"replica", :string, "id of the container"},
    raw: {[], :map, "whole JSON object, including entries without a field"}
end
