defmodule HfHub.Spaces.SpaceHardware do
  @moduledoc """
  Hardware that a Space can request. Python: `JobHardwareInfo`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    name: {"name", :name, "name for `HfHub.Spaces.request_hardware/3`, such as `\"t4-small\"`"},
    pretty_name: {"prettyName", :string, "name for people"},
    cpu: {"cpu", :string, "processors, such as `\"2 vCPU\"`"},
    ram: {"ram", :string, "memory, such as `\"16 GB\"`"},
    ephemeral_storage: {"ephemeralStorage", :string, "disk that is lost at a restart"},
    accelerator:
      {"accelerator", :map,
       "GPU or other accelerator; a map with the keys `\"type\"`, `\"model\"`, `\"vram\"` and others"},
    unit_cost_micro_usd: {"unitCostMicroUSD", :number, "costs of a unit, in millionths of a US dollar"},
    unit_cost_usd: {"unitCostUSD", :number, "costs of a unit, in US dollars"},
    unit_label: {"unitLabel", :string, "unit of the costs, such as `\"minute\"`"}

  HfHub.Schema.from_response("""
      iex> HfHub.Spaces.SpaceHardware.from_response(%{"name" => "cpu-basic", "cpu" => "2 vCPU"}).cpu
      "2 vCPU"
  """)

  defimpl Inspect do
    def inspect(hardware, _opts), do: Brief.line(hardware, [hardware.name, hardware.cpu, hardware.ram])
  end
end
