defmodule HfHub.CLI.Jobs.Scheduled do
  # Jobs that run by a schedule.
  @moduledoc false

  alias HfHub.CLI.{Call, Command, Jobs, Json, Size}
  alias HfHub.CLI.Jobs.{Spec, Summary}
  alias HfHub.ScheduledJobs

  @id [scheduled_job_id: [doc: "Id of the scheduled job, or `namespace/id`"]]
  @schedule [
    schedule: [doc: "Schedule: `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`, or a cron expression"]
  ]

  @starts [
    suspend: [type: :boolean, negatable: true, doc: "Begins suspended"],
    concurrency: [type: :boolean, negatable: true, doc: "Starts a job while the one before it still runs"]
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
        flags: @starts ++ Spec.flags(),
        rest: true
      ),
      Jobs.command(["scheduled", "uv", "run"], &run_uv/1,
        summary: "Schedules a Python script with uv",
        args:
          @schedule ++
            [
              script: [complete: :file, doc: "Script, its URL, or a command"],
              script_args: [type: {:list, :string}, required: false, doc: "Arguments of the script"]
            ],
        flags: @starts ++ Spec.uv_flags() ++ Spec.flags(),
        rest: true
      ),
      command("list", &list/1,
        summary: "Lists the scheduled jobs",
        aliases: ["ls", "ps"],
        flags: [
          all: [type: :boolean, short: "a", doc: "Includes suspended ones"],
          status: [type: {:list, :string}, doc: "State of the scheduled jobs: `active` or `suspended`"],
          label: [type: {:list, :string}, short: "l", doc: "Label of the scheduled jobs, as `KEY=VALUE`"],
          name: [type: :string, doc: "Name of the scheduled jobs"]
        ]
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
      command("labels", &labels/1,
        summary: "Replaces the labels; `--name` alone leaves the others",
        args: @id,
        flags: Spec.label_flags()
      )
    ]
  end

  defp command(word, run, fields), do: Jobs.command(["scheduled", word], run, fields)

  defp run(%{flags: %{dry_run: true}} = call), do: Summary.shown(call)

  defp run(%{args: %{schedule: schedule, image: image, command: command}} = call) do
    with {:ok, opts} <- Spec.options(call),
         do: image |> ScheduledJobs.create(command, [schedule: schedule] ++ opts) |> created()
  end

  defp run_uv(%{flags: %{dry_run: true}} = call), do: Summary.shown(call)

  defp run_uv(%{args: %{schedule: schedule, script: script}} = call) do
    with {:ok, opts} <- Spec.uv_options(call),
         do: script |> ScheduledJobs.create_uv([schedule: schedule] ++ opts) |> created()
  end

  defp created({:ok, job}),
    do: {:done, "Scheduled Job created", id: job.id, name: job.job_spec.labels["name"]}

  defp created(failed), do: failed

  @columns ~w(id name schedule image/space command last_run next_run suspend)

  defp list(%{flags: %{all: true, status: _states}}),
    do: {:error, "--all and --status are mutually exclusive"}

  defp list(call) do
    with {:ok, suspended} <- states(call.flags),
         {:ok, labels} <- Spec.label_filters(call),
         {:ok, found} <- ScheduledJobs.list(labels ++ Call.options(call, [:namespace])) do
      shown = Enum.filter(found, &((&1.suspend || false) in suspended))
      {:table, Enum.map(shown, &row/1), id: "id", columns: @columns}
    end
  end

  # The values of `:suspend` to list.
  defp states(%{status: texts}) do
    Call.each(for(text <- texts, state <- String.split(text, ","), do: String.trim(state)), fn
      "active" -> {:ok, false}
      "suspended" -> {:ok, true}
      other -> {:error, "--status must be active or suspended, got #{HfHub.Options.shown(other)}"}
    end)
  end

  defp states(%{all: true}), do: {:ok, [false, true]}
  defp states(_active), do: {:ok, [false]}

  defp row(job) do
    spec = job.job_spec
    command = Enum.join(spec.command || [], " ")

    columns = [
      {"id", job.id},
      {"name", spec.labels["name"] || "N/A"},
      {"schedule", job.schedule},
      {"image/space", spec.docker_image || "N/A"},
      {"command", if(command == "", do: "N/A", else: command)},
      {"last_run", time(job.status && job.status.last_job_at)},
      {"next_run", time(job.status && job.status.next_job_run_at)},
      {"suspend", job.suspend || false}
    ]

    columns ++ Enum.reject(Json.row(job), fn {name, _value} -> List.keymember?(columns, name, 0) end)
  end

  defp time(nil), do: "N/A"
  defp time(time), do: Size.time(time, false)

  defp show(call) do
    opts = Call.options(call, [:namespace])

    with {:ok, jobs} <- Call.each(call.args.scheduled_job_ids, &ScheduledJobs.get(&1, opts)),
         do: {:table, Enum.map(jobs, &named/1), id: "id"}
  end

  defp named(job) do
    name = job.job_spec.labels["name"]
    if name, do: [{"name", name} | Json.row(job)], else: Json.row(job)
  end

  defp change(%{args: %{scheduled_job_id: id}} = call, name, done) do
    change =
      %{delete: &ScheduledJobs.delete/2, suspend: &ScheduledJobs.suspend/2, resume: &ScheduledJobs.resume/2}[
        name
      ]

    with :ok <- change.(id, Call.options(call, [:namespace])),
         do: {:done, "Scheduled Job #{done}", id: Spec.bare(id)}
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
    opts = Call.options(call, [:namespace])
    current = fn -> with {:ok, job} <- ScheduledJobs.get(id, opts), do: {:ok, job.job_spec.labels} end

    with {:ok, labels} <- Spec.new_labels(call, current),
         {:ok, job} <- ScheduledJobs.update_labels(id, labels, opts),
         do: {:done, "Labels updated", id: job.id, name: labels["name"]}
  end
end
