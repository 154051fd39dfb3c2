defmodule HfHub.Parity.JobsHubTest do
  # Both clients at one Local Hub that really runs jobs.
  use HfHub.Case, async: true

  alias HfHub.{Jobs, LocalHub, Python}

  @moduletag :python
  @moduletag timeout: 180_000

  setup context do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"), jobs: :local, test_control: true)

    LocalHub.command!(hub, ["user", "add", "me", "--org", "acme", "--token", "hf_me"])
    endpoint = LocalHub.endpoint(hub)
    {:ok, local: hub, endpoint: endpoint, ours: [endpoint: endpoint, token: "hf_me", retry_delay: 10]}
  end

  defp python(context, code),
    do: Python.run!("api = HfApi(token='hf_me')\n" <> code, context.endpoint, context.cache)

  test "the Python client runs, follows, waits for, cancels and labels jobs", %{ours: ours} = context do
    output =
      python(context, """
      sh = lambda script, **more: api.run_job(image="alpine", command=["sh", "-c", script], **more)
      job = sh("echo one; sleep 0.3; echo two", env={"A": 1}, secrets={"S": "hunter2"}, labels={"team": "nlp"})
      print(list(api.fetch_job_logs(job_id=job.id, follow=True)))
      job = api.wait_for_job(job_id=job.id, poll_interval=0.05)
      print(job.status.stage, job.owner.name, job.owner.type, job.environment, sorted(job.secrets), job.url)
      print(list(api.fetch_job_logs(job_id=job.id)), list(api.fetch_job_logs(job_id=job.id, tail=1)))
      slow = sh("trap '' TERM; sleep 300; sleep 300", namespace="acme")
      api.wait_for_job(job_id=slow.id, namespace="acme", stages=["RUNNING"], poll_interval=0.05)
      print([m["memory_used_bytes"] > 0 for m in api.fetch_job_metrics(job_id=slow.id, namespace="acme", follow=False)])
      print([j.id == slow.id for j in api.list_jobs(namespace="acme", status="running")])
      api.cancel_job(job_id=slow.id, namespace="acme")
      print(api.inspect_job(job_id=slow.id, namespace="acme").status.stage)
      failed = sh("exit 3", attempts=2)
      failed = api.wait_for_job(job_id=failed.id, poll_interval=0.05)
      print(failed.status.stage, failed.status.message, failed.retry)
      again = api.rerun_job(job_id=job.id)
      print(again.initiator.type, api.wait_for_job(job_id=again.id, poll_interval=0.05).status.stage)
      print(api.update_job_labels(job_id=job.id, labels={"a": "b"}).labels)
      print(api.update_job_expose(job_id=job.id, expose=[8000], expose_public=[9000]).expose_public)
      print("cpu-basic" in [h.name for h in api.list_jobs_hardware()])
      try:
          api.inspect_job(job_id="0" * 24)
      except Exception as e:
          print(type(e).__name__)
      """)

    assert [job] = Jobs.list!([labels: %{"a" => "b"}] ++ ours)

    assert String.split(output, "\n") == [
             "['one', 'two']",
             "COMPLETED me user {'A': '1'} ['S'] #{context.endpoint}/jobs/me/#{job.id}",
             "['one', 'two'] ['two']",
             "[True]",
             "[True]",
             "CANCELED",
             "ERROR Job failed with exit code: 3 1",
             "duplicated-job COMPLETED",
             "{'a': 'b'}",
             "[9000]",
             "True",
             "JobNotFoundError"
           ]

    assert Jobs.logs(job, ours) |> Enum.to_list() == ["one", "two"]
  end

  test "hf jobs runs a command, shows its log and lists it", context do
    env = [{"HF_ENDPOINT", context.endpoint}, {"HF_TOKEN", "hf_me"}] ++ Python.env(context.dir)

    run = fn args ->
      {output, status} = Python.hf(["jobs" | args], env)
      assert status == 0, "hf jobs #{Enum.join(args, " ")}: #{output}"
      output
    end

    output = run.(["run", "alpine", "sh", "-c", "echo hello; exit 0"])
    assert output =~ "hello"
    [id] = Regex.run(~r/[0-9a-f]{24}/, output)
    assert run.(["ps", "-a", "--no-truncate"]) =~ id
    assert run.(["inspect", id, "--format", "json"]) =~ "COMPLETED"
    assert run.(["logs", id]) =~ "hello"
    detached = run.(["run", "--detach", "alpine", "sleep", "300"])
    [detached] = Regex.run(~r/[0-9a-f]{24}/, detached)
    run.(["cancel", detached])
    assert run.(["inspect", detached, "--format", "json"]) =~ "CANCELED"
  end
end
