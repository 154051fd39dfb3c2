defmodule HfHub.Jobs.JobStatus do
  @moduledoc """
  The stage of a job. Python: `JobStatus`. New stages of the Hub are strings.
  """

  @stages [
    scheduling: "SCHEDULING",
    running: "RUNNING",
    updating: "UPDATING",
    completed: "COMPLETED",
    canceled: "CANCELED",
    error: "ERROR",
    deleted: "DELETED"
  ]

  use HfHub.Schema,
    stage: {"stage", {:enum, @stages}, "stage; the last four are those of a job that has ended"},
    message: {"message", :string, "reason of the stage"},
    failure_count: {"failureCount", :integer, "number of failed attempts"},
    expose_urls: {"exposeUrls", [:string], "addresses of the exposed ports"},
    ssh_url: {"sshUrl", :string, "address for SSH"}
end
