defmodule HfHub.Jobs.JobInfo do
  @moduledoc """
  A job: a command that runs in a container on hardware of the Hub. Python: `JobInfo`.
  """

  alias HfHub.Brief
  alias HfHub.Jobs.{JobDurations, JobInitiator, JobNetwork, JobOwner, JobStatus, Volume}

  use HfHub.Schema,
    id: {"id", :name, "id of the job"},
    status: {"status", JobStatus, "stage and addresses"},
    docker_image: {"dockerImage", :string, "Docker image, unless it runs in a Space's"},
    space_id: {"spaceId", :string, "Space whose image it runs in"},
    command: {"command", [:string], "command"},
    arguments: {"arguments", [:string], "arguments of the command"},
    environment: {"environment", :map, "environment variables"},
    secrets:
      {"secrets", :map, "names of secret variables, with encrypted values; not part of the JSON", json: false},
    flavor: {"flavor", :string, "hardware, such as `\"cpu-basic\"`"},
    labels: {"labels", :map, "labels"},
    volumes: {"volumes", [Volume], "mounted volumes"},
    owner: {"owner", JobOwner, "user or organization that owns it"},
    initiator: {"initiator", JobInitiator, "cause of the job"},
    durations: {"durations", JobDurations, "durations so far"},
    network: {"network", JobNetwork, "network group"},
    timeout: {"timeout", :number, "maximum duration in seconds"},
    retry: {"retry", :integer, "maximum number of repeated attempts"},
    expose: {["expose", "ports"], [:integer], "ports that can be reached by URL"},
    expose_public: {["expose", "portsPublic"], [:integer], "ports that can be reached without a token"},
    url: {"url", :string, "address of the job's page"},
    created_at: {"createdAt", :datetime, "time of creation"},
    started_at: {"startedAt", :datetime, "time of its start"},
    finished_at: {"finishedAt", :datetime, "time of its end"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  defimpl Inspect do
    def inspect(job, _opts) do
      stage = if is_map(job.status), do: job.status.stage
      Brief.line(job, [job.id, stage, job.docker_image || job.space_id, job.flavor])
    end
  end
end
