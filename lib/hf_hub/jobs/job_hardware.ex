defmodule HfHub.Jobs.JobHardware do
  @moduledoc """
  Hardware for jobs. Python: `JobHardwareInfo`.
  """

  alias HfHub.Jobs.JobAccelerator

  use HfHub.Schema,
    name: {"name", :name, "name, such as `\"a10g-large\"`"},
    pretty_name: {"prettyName", :string, "name for people"},
    cpu: {"cpu", :string, "processors, such as `\"12 vCPU\"`"},
    ram: {"ram", :string, "memory, such as `\"46 GB\"`"},
    ephemeral_storage: {"ephemeralStorage", :string, "disk, such as `\"100 GB\"`"},
    accelerator: {"accelerator", JobAccelerator, "accelerators"},
    unit_cost_micro_usd: {"unitCostMicroUSD", :number, "price of a unit in millionths of a USD"},
    unit_cost_usd: {"unitCostUSD", :number, "price of a unit in USD"},
    unit_label: {"unitLabel", :string, "unit, such as `\"minute\"`"}
end
