defmodule HfHub.InferenceEndpoints.Hardware do
  @moduledoc """
  Hardware for endpoints. Python: `InferenceEndpointHardware`.

  Vendor, region, accelerator, type and size are the values of the options of `HfHub.InferenceEndpoints.create/2`.
  """

  @states [:available, :low_availability, :not_available, :reserved, :deprecated]

  use HfHub.Schema,
    id: {"id", :name, "id, such as `\"aws-us-east-1-nvidia-l4-x1\"`"},
    vendor: {"vendor", :string, "cloud provider"},
    region: {"region", :string, "region of the provider"},
    accelerator: {"accelerator", :string, "accelerator: `\"cpu\"`, `\"gpu\"`, `\"neuron\"` or a newer one"},
    instance_type: {"instanceType", :string, "type of the instance"},
    instance_size: {"instanceSize", :string, "size of the instance"},
    architecture: {"architecture", :string, "description, such as `\"Nvidia L4\"`"},
    num_accelerators: {"numAccelerators", :integer, "number of accelerators of a replica"},
    num_cpus: {"numCpus", :integer, "number of CPUs of a replica"},
    memory_gb: {"memoryGb", :number, "memory of a replica in GB"},
    gpu_memory_gb: {"gpuMemoryGb", :number, "memory of all GPUs of a replica in GB"},
    price_per_hour: {"pricePerHour", :number, "price of a replica per hour in USD"},
    status: {"status", {:enum, @states}, "availability"},
    max_accelerators:
      {["quota", "maxAccelerators"], :integer, "maximum number of accelerators of the namespace"},
    used_accelerators: {["quota", "usedAccelerators"], :integer, "number of accelerators the namespace uses"}
end
