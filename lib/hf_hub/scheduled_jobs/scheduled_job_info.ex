defmodule HfHub.ScheduledJobs.ScheduledJobInfo do
  @moduledoc """
  A job that starts at set times. Python: `ScheduledJobInfo`.
  """

  alias HfHub.Brief
  alias HfHub.Jobs.{JobInitiator, JobOwner}
  alias HfHub.ScheduledJobs.{JobSpec, ScheduledJobStatus}

  use HfHub.Schema,
    id: {"id", :name, "id of the scheduled job"},
    schedule: {"schedule", :string, "schedule, such as `\"@daily\"` or `\"0 9 * * 1\"`"},
    suspend: {"suspend", :boolean, "whether it is suspended"},
    concurrency: {"concurrency", :boolean, "whether a job may start while the one before it still runs"},
    status: {"status", ScheduledJobStatus, "last and next job"},
    job_spec: {"jobSpec", JobSpec, "specification of the jobs"},
    owner: {"owner", JobOwner, "user or organization that owns it"},
    initiator: {"initiator", JobInitiator, "account that created it"},
    created_at: {"createdAt", :datetime, "time of creation"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  defimpl Inspect do
    def inspect(job, _opts) do
      image = if is_map(job.job_spec), do: job.job_spec.docker_image || job.job_spec.space_id
      Brief.line(job, [job.id, job.schedule, image])
    end
  end
end
