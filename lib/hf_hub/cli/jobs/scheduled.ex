defmodule HfHub.CLI.Jobs.Scheduled do
  # Jobs that run by a schedule.
  @moduledoc false

  alias HfHub.CLI.{Call, Command, Jobs, Json}
  alias HfHub.CLI.Jobs.Spec
  alias HfHub.ScheduledJobs

  @id [scheduled_job_id: [doc: "Id of the scheduled job, or `namespace/id`"]]
  @schedule [
    schedule: [doc: "Schedule: `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`, or a cron expression"]
  ]

  @doc "Returns the commands."
  @spec commands() :: [Command.t()]
  def commands do
    [
      command("run", &run/1,
        summary: "Schedules a command in a container",
        args:
          @schedule ++
            [
              image: [doc: "Docker image, or URL of a Space"],
              command: [
                type: {:list, :string},
                doc: "Command with its arguments; options come before the schedule"
              ]
            ],
        flags:
          [
            suspend: [type: :boolean, negatable: true, doc: "Begins suspended"],
            concurrency: [
              type: :boolean,
              negatable: true,
              doc: "Starts a job while the one before it still runs"
            ]
          ] ++ Spec.flags(),
        rest: true
      ),
      command("list", &list/1,
        summary: "Lists the scheduled jobs",
        aliases: ["ls", "ps"],
        flags: [all: [type: :boolean, short: "a", doc: "Includes suspended ones"]]
      ),
      command("inspect", &show/1,
        summary: "Shows scheduled jobs",
        args: [scheduled_job_ids: [type: {:list, :string}, doc: "Ids of scheduled jobs"]]
      ),
      command("delete", &change(&1, :delete, "deleted"), summary: "Deletes a scheduled job", args: @id),
      command("suspend", &change(&1, :suspend, "suspended"), summary: "Suspends a scheduled job", args: @id),
      command("resume", &change(&1, :resume, "resumed"), summary: "Resumes a scheduled job", args: @id),
      command("reschedule", &reschedule/1, summary: "Changes the schedule", args: @id ++ @schedule),
      command("trigger", &trigger/1, summary: "Starts a job of the schedule now", args: @id),
      command("labels", &labels/1, summary: "Replaces the labels", args: @id, flags: Spec.label_flags())
    ]
  end

  defp command(word, run, fields), do: Jobs.command(["scheduled", word], run, fields)

  defp run(%{args: %{schedule: schedule, image: image, command: command}} = call) do
    with {:ok, job} <- ScheduledJobs.create(image, command, [schedule: schedule] ++ Spec.options(call)),
         do: {:done, "Scheduled Job created", id: job.id, name: job.job_spec.labels["name"]}
  end

  @columns ~w(id schedule image command suspend last_run next_run)

  defp list(call) do
    with {:ok, found} <- ScheduledJobs.list(Call.options(call, [:namespace])) do
      shown = if call.flags[:all], do: found, else: Enum.reject(found, & &1.suspend)
      {:table, Enum.map(shown, &row/1), id: "id", columns: @columns}
    end
  end

  defp row(job) do
    columns = [
      {"id", job.id},
      {"schedule", job.schedule},
      {"image", job.job_spec.docker_image},
      {"command", Enum.join(job.job_spec.command || [], " ")},
      {"suspend", job.suspend},
      {"last_run", job.status && job.status.last_job_at},
      {"next_run", job.status && job.status.next_job_run_at}
    ]

    columns ++ Enum.reject(Json.row(job), fn {name, _value} -> List.keymember?(columns, name, 0) end)
  end

  defp show(call) do
    opts = Call.options(call, [:namespace])

    with {:ok, jobs} <- Call.each(call.args.scheduled_job_ids, &ScheduledJobs.get(&1, opts)),
         do: {:table, Json.rows(jobs), id: "id"}
  end

  defp change(%{args: %{scheduled_job_id: id}} = call, name, done) do
    change =
      %{delete: &ScheduledJobs.delete/2, suspend: &ScheduledJobs.suspend/2, resume: &ScheduledJobs.resume/2}[
        name
      ]

    with :ok <- change.(id, Call.options(call, [:namespace])), do: {:done, "Scheduled Job #{done}", id: id}
  end

  defp reschedule(%{args: %{scheduled_job_id: id, schedule: schedule}} = call) do
    with {:ok, job} <- ScheduledJobs.update_schedule(id, schedule, Call.options(call, [:namespace])),
         do: {:done, "Scheduled Job rescheduled", id: job.id, schedule: job.schedule}
  end

  defp trigger(%{args: %{scheduled_job_id: id}} = call) do
    with {:ok, job} <- ScheduledJobs.trigger(id, Call.options(call, [:namespace])),
         do: {:done, "Scheduled Job triggered", id: job.id, url: job.url}
  end

  defp labels(%{args: %{scheduled_job_id: id}} = call) do
    with {:ok, labels} <- Spec.new_labels(call),
         {:ok, job} <- ScheduledJobs.update_labels(id, labels, Call.options(call, [:namespace])),
         do: {:done, "Labels updated", id: job.id, name: labels["name"]}
  end
end
