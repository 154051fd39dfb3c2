defmodule HfHub.Jobs.JobInitiator do
  @moduledoc """
  The cause of a job. Python: `JobInitiator`.
  """

  @types [:user, :org, :webhook, scheduled_job: "scheduled-job", duplicated_job: "duplicated-job"]

  use HfHub.Schema,
    type: {"type", {:enum, @types}, "type of the cause"},
    id: {"id", :string, "id of the account, or of the other job"},
    name: {"name", :string, "name of the account"}
end
