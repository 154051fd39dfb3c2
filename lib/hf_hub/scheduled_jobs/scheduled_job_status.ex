defmodule HfHub.ScheduledJobs.ScheduledJobStatus do
  @moduledoc """
  The last and the next job of a scheduled job. Python: `ScheduledJobStatus` with `LastJobInfo`.
  """

  use HfHub.Schema,
    last_job_id: {["lastJob", "id"], :string, "id of the last job, for `HfHub.Jobs.get/2`"},
    last_job_at: {["lastJob", "at"], :datetime, "time at which the last job started"},
    next_job_run_at: {"nextJobRunAt", :datetime, "time at which the next job starts"},
    message: {"message", :string, "why no job starts now; only from a Local Hub"}
end
