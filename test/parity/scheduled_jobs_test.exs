defmodule HfHub.Parity.ScheduledJobsTest do
  # The Local Hub has no scheduled jobs, so it gets the Hub's responses for each test.
  use HfHub.TwoHubs

  alias HfHub.ScheduledJobs

  @id "687fb701029421ae5549d999"

  @show """
  warnings.simplefilter("ignore")
  time_of = lambda t: t and int(t.timestamp() * 1000)
  def show(j):
      s, p, l = j.status, j.job_spec, j.status.last_job
      print(j.id, time_of(j.created_at), j.schedule, j.suspend, j.concurrency, l and l.id, l and time_of(l.at),
            time_of(s.next_job_run_at), j.owner.id, j.owner.name, j.owner.type, p.docker_image, p.space_id, p.flavor,
            p.timeout, p.retry, p.arch, p.command and "+".join(p.command), p.labels and p.labels.get("a"),
            p.expose, p.expose_public, p.volumes and [v.mount_path for v in p.volumes], p.tags, sep="|")
  """

  defp json(more \\ %{}) do
    Map.merge(
      %{
        "id" => @id,
        "createdAt" => "2026-01-02T03:04:05.678Z",
        "schedule" => "@daily",
        "suspend" => false,
        "concurrency" => true,
        "status" => %{"lastJob" => nil, "nextJobRunAt" => "2026-01-03T00:00:00.000Z"},
        "owner" => %{"id" => "o1", "name" => "acme", "type" => "org"},
        "jobSpec" => %{"dockerImage" => "python:3.12", "command" => ["python", "-V"], "flavor" => "cpu-basic"}
      },
      more
    )
  end

  defp full do
    json(%{
      "schedule" => "every blue moon",
      "suspend" => nil,
      "status" => %{"lastJob" => %{"id" => "j1", "at" => "2026-01-01T00:00:00.001Z"}, "nextJobRunAt" => nil},
      "owner" => %{"id" => "u1", "name" => "me", "type" => "robot"},
      "jobSpec" => %{
        "spaceId" => "acme/app",
        "flavor" => "abacus",
        "timeout" => 90,
        "retry" => 2,
        "arch" => "arm64",
        "labels" => %{"a" => "b"},
        "expose" => %{"ports" => [80], "portsPublic" => []},
        "volumes" => [%{"source" => "a/b", "mountPath" => "/m"}],
        "tags" => ["t"]
      }
    })
  end

  defp show(job) do
    {status, spec} = {job.status, job.job_spec}

    Enum.map_join(
      [
        job.id,
        time(job.created_at),
        job.schedule,
        job.suspend,
        job.concurrency,
        status.last_job_id,
        time(status.last_job_at),
        time(status.next_job_run_at),
        job.owner.id,
        job.owner.name,
        job.owner.type,
        spec.docker_image,
        spec.space_id,
        spec.flavor,
        spec.timeout,
        spec.retry,
        spec.arch,
        spec.command && Enum.join(spec.command, "+"),
        spec.labels["a"],
        spec.expose,
        spec.expose_public,
        spec.volumes && for(v <- spec.volumes, do: v.mount_path),
        spec.tags
      ],
      "|",
      &python/1
    )
  end

  defp time(time), do: time && DateTime.to_unix(time, :millisecond)

  defp python(nil), do: "None"
  defp python(boolean) when is_boolean(boolean), do: boolean |> to_string() |> String.capitalize()
  defp python(list) when is_list(list), do: "[" <> Enum.map_join(list, ", ", &quoted/1) <> "]"
  defp python(other), do: to_string(other)

  defp quoted(text) when is_binary(text), do: "'#{text}'"
  defp quoted(other), do: python(other)

  test "creating scheduled jobs sends the same requests and returns the same", %{ours: ours} = context do
    plant(context, "POST", "/api/scheduled-jobs/me", json())
    plant(context, "POST", "/api/scheduled-jobs/acme", full())

    output =
      theirs(
        context,
        @show <>
          """
          show(api.create_scheduled_job(image="python:3.12", command=["python", "-V"], schedule="@daily"))
          show(api.create_scheduled_job(image="hf.co/spaces/acme/app", command=["x"], schedule="0 9 * * 1", suspend=True,
              concurrency=False, namespace="acme", env={"K": "V"}, secrets={"S": "T"}, flavor="l4x1", timeout="2h", attempts=2,
              name="n", labels={"a": "b"}, expose=[80], expose_public=[81], resource_group_id="rg",
              volumes=[Volume(source="acme/m", mount_path="/m")]))
          api.create_scheduled_uv_job("https://hf.co/x/train.py", schedule="*/5 * * * *", namespace="acme", script_args=["-v"],
              dependencies=["trl"], python="3.11", suspend=False)
          """
      )

    daily = ScheduledJobs.create!("python:3.12", ["python", "-V"], [schedule: "@daily"] ++ ours)
    acme = [namespace: "acme"] ++ ours

    more = [
      schedule: "0 9 * * 1",
      suspend: true,
      concurrency: false,
      env: %{"K" => "V"},
      secrets: [S: "T"],
      flavor: "l4x1",
      job_timeout: "2h",
      attempts: 2,
      name: "n",
      labels: %{"a" => "b"},
      expose: [80],
      expose_public: [81],
      resource_group_id: "rg",
      volumes: [%{source: "acme/m", mount_path: "/m"}]
    ]

    other = ScheduledJobs.create!("hf.co/spaces/acme/app", ["x"], more ++ acme)
    uv = [schedule: "*/5 * * * *", script_args: ["-v"], dependencies: ["trl"], python: "3.11", suspend: false]
    ScheduledJobs.create_uv!("https://hf.co/x/train.py", uv ++ acme)
    assert output == show(daily) <> "\n" <> show(other)
    assert_same(context)
  end

  test "reading and changing scheduled jobs sends the same requests and returns the same",
       %{ours: ours} = context do
    base = "/api/scheduled-jobs/acme"
    labelled = fn labels -> json(%{"jobSpec" => %{"labels" => labels}}) end
    lists = [full(), json(), labelled.(%{"a" => "b", "c" => "d"}), labelled.(%{"a" => "b", "c" => "e"})]
    plant(context, "GET", "/api/scheduled-jobs/me", lists)
    plant(context, "GET", "#{base}/#{@id}", full())
    for action <- ["/suspend", "/resume"], do: plant(context, "POST", "#{base}/#{@id}#{action}", "")
    plant(context, "DELETE", "#{base}/#{@id}", "", code: 204)
    plant(context, "PUT", "#{base}/#{@id}/labels", json())
    plant(context, "POST", "#{base}/#{@id}/schedule", full())

    job = %{
      "id" => "j1",
      "status" => %{"stage" => "SCHEDULING"},
      "owner" => %{"id" => "1", "name" => "acme", "type" => "org"}
    }

    plant(context, "POST", "#{base}/#{@id}/run", job)
    plant(context, "POST", "#{base}/busy/run", %{"error" => "Another job is already running"}, code: 409)

    output =
      theirs(
        context,
        @show <>
          """
          for labels in [None, {"a": "b"}, {"a": "b", "c": "d"}]:
              for j in api.list_scheduled_jobs(labels=labels):
                  show(j)
          at = {"scheduled_job_id": "#{@id}", "namespace": "acme"}
          show(api.inspect_scheduled_job(**at))
          api.suspend_scheduled_job(**at)
          api.resume_scheduled_job(**at)
          job = api.trigger_scheduled_job(**at)
          print(job.id, job.status.stage, job.url.replace(api.endpoint, ""))
          try:
              api.trigger_scheduled_job(scheduled_job_id="busy", namespace="acme")
          except huggingface_hub.errors.HfHubHTTPError as e:
              print(e.response.status_code)
          show(api.update_scheduled_job_labels(labels={"a": "b"}, **at))
          show(api.update_scheduled_job_schedule(schedule="@hourly", **at))
          api.delete_scheduled_job(**at)
          """
      )

    listed =
      for labels <- [[], [labels: %{"a" => "b"}], [labels: [a: "b", c: "d"]]],
          job <- ScheduledJobs.list!(labels ++ ours),
          do: show(job)

    assert length(listed) == 4 + 3 + 1
    acme = [namespace: "acme"] ++ ours
    job = ScheduledJobs.get!(@id, acme)
    assert :ok = ScheduledJobs.suspend(@id, acme)
    assert :ok = ScheduledJobs.resume(@id, acme)
    started = ScheduledJobs.trigger!(@id, acme)
    assert started.status.stage == :scheduling
    assert {:error, %{kind: :conflict, status: 409}} = ScheduledJobs.trigger("busy", acme)
    changed = ScheduledJobs.update_labels!(@id, %{"a" => "b"}, acme)
    # The struct has the namespace.
    rescheduled = ScheduledJobs.update_schedule!(changed, "@hourly", ours)
    assert :ok = ScheduledJobs.delete(@id, acme)

    url = String.replace(started.url, context.hubs.ours, "")
    shown = listed ++ [show(job), "j1 SCHEDULING #{url}", "409", show(changed), show(rescheduled)]
    assert String.split(output, "\n") == shown
    assert_same(context)
  end
end
