defmodule HfHub.Jobs.JobDurations do
  @moduledoc """
  The durations of a job, in seconds. Python: `JobDurations`.
  """

  use HfHub.Schema,
    scheduling_secs: {"schedulingSecs", :number, "time until it started"},
    running_secs: {"runningSecs", :number, "time since it started"},
    total_secs: {"totalSecs", :number, "time since it was created"}
end
