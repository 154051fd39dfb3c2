defmodule HfHub.ScheduledJobs.JobSpec do
  @moduledoc """
  The specification of the jobs of a scheduled job. Python: `JobSpec`.
  """

  alias HfHub.Brief
  alias HfHub.Jobs.Volume

  use HfHub.Schema,
    docker_image: {"dockerImage", :string, "Docker image, unless they run in a Space's"},
    space_id: {"spaceId", :string, "Space whose image they run in"},
    command: {"command", [:string], "command"},
    arguments: {"arguments", [:string], "arguments of the command"},
    environment: {"environment", :map, "environment variables"},
    secrets:
      {"secrets", {:or, [[:string], :map]},
       "names of secret variables, or encrypted values by name; not part of the JSON", json: false},
    flavor: {"flavor", :string, "hardware, such as `\"cpu-basic\"`"},
    timeout: {"timeout", :number, "maximum duration in seconds"},
    retry: {"retry", :integer, "maximum number of repeated attempts"},
    arch: {"arch", :string, "architecture of the processors"},
    tags: {"tags", [:string], "tags"},
    labels: {"labels", :map, "labels"},
    volumes: {"volumes", [Volume], "mounted volumes"},
    expose: {["expose", "ports"], [:integer], "ports that can be reached by URL"},
    expose_public: {["expose", "portsPublic"], [:integer], "ports that can be reached without a token"}

  defimpl Inspect do
    def inspect(spec, _opts), do: Brief.line(spec, [spec.docker_image || spec.space_id, spec.flavor])
  end
end
