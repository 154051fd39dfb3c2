defmodule HfHub.Spaces.ZeroGpuQuota do
  @moduledoc """
  The ZeroGPU quota of an account. Python: `ZeroGpuQuota`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    base: {"base", :number, "quota, in seconds of a GPU"},
    remaining: {"current", :number, "what is left of it, in seconds of a GPU"},
    resets_at: {"resetsAt", :datetime, "time at which the quota is renewed; `nil` if it was not used"},
    overquota_used: {"overquotaUsed", :number, "paid seconds beyond the quota"}

  HfHub.Schema.from_response("""
      iex> HfHub.Spaces.ZeroGpuQuota.from_response(%{"base" => 300, "current" => 120}).remaining
      120
  """)

  defimpl Inspect do
    def inspect(quota, _opts), do: Brief.line(quota, ["#{quota.remaining} of #{quota.base} s"])
  end
end
