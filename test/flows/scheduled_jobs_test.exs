defmodule HfHub.Flows.ScheduledJobsTest do
  # Scheduled jobs of a Local Hub, whose clock the tests set forward.
  use HfHub.Case, async: true

  alias HfHub.{Error, Jobs, LocalHub, ScheduledJobs}

  setup context do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"), jobs: :local, test_control: true)

    LocalHub.command!(hub, ["user", "add", "ann", "--token", "hf_ann"])
    endpoint = LocalHub.endpoint(hub)
    ours = [endpoint: endpoint, token: "hf_ann", retry_delay: 10]
    advance = fn seconds -> control(:post, "clock", %{seconds: seconds}, endpoint) end
    {:ok, ours: ours, advance: advance, wait: [poll_interval: 20, timeout: 30_000] ++ ours}
  end

  defp create(script, opts), do: ScheduledJobs.create!("alpine", ["sh", "-c", script], opts)

  # The job that has started since `before`.
  defp next_job(scheduled, before, ours) do
    last = fn -> ScheduledJobs.get!(scheduled, ours).status.last_job_id end
    assert eventually(fn -> last.() not in [nil, before] end)
    last.()
  end

  test "jobs start when their time has come", %{ours: ours, wait: wait, advance: advance} do
    scheduled =
      create("echo $A", [schedule: "0 * * * *", env: %{"A" => "1"}, secrets: %{"S" => "hidden"}] ++ ours)

    assert %{suspend: false, concurrency: false, owner: %{name: "ann"}} = scheduled
    assert %{last_job_id: nil, next_job_run_at: %DateTime{minute: 0, second: 0}} = scheduled.status
    advance.(3600)
    first = next_job(scheduled, nil, ours)
    assert %{status: %{stage: :completed}, initiator: %{type: :scheduled_job}} = Jobs.wait!(first, wait)
    assert Jobs.logs(first, ours) |> Enum.to_list() == ["1"]
    advance.(3600)
    assert next_job(scheduled, first, ours) != first
  end

  test "scheduled jobs are suspended, resumed, changed, triggered and deleted", %{ours: ours, wait: wait} do
    scheduled = create("sleep 300", [schedule: "@daily", suspend: true, labels: %{"a" => "b"}] ++ ours)
    assert scheduled.status.next_job_run_at == nil
    assert :ok = ScheduledJobs.resume(scheduled, ours)
    assert %{suspend: false, status: %{next_job_run_at: %DateTime{}}} = ScheduledJobs.get!(scheduled, ours)
    assert :ok = ScheduledJobs.suspend(scheduled, ours)
    assert %{schedule: "@hourly", suspend: true} = ScheduledJobs.update_schedule!(scheduled, "@hourly", ours)
    assert {:error, %Error{kind: :bad_request}} = ScheduledJobs.update_schedule(scheduled, "61 * * * *", ours)

    assert {:ok, job} = ScheduledJobs.trigger(scheduled, ours)
    assert {:error, %Error{kind: :conflict}} = ScheduledJobs.trigger(scheduled, ours)
    assert :ok = Jobs.cancel(job, ours)
    assert %{status: %{stage: :canceled}} = Jobs.wait!(job, wait)

    assert [%{id: id}] = ScheduledJobs.list!([labels: %{"a" => "b"}] ++ ours)
    assert id == scheduled.id
    assert %{job_spec: %{labels: %{"c" => "d"}}} = ScheduledJobs.update_labels!(scheduled, %{c: "d"}, ours)
    assert [] = ScheduledJobs.list!([labels: %{"a" => "b"}] ++ ours)
    assert :ok = ScheduledJobs.delete(scheduled, ours)
    assert {:error, %Error{status: 404}} = ScheduledJobs.get(scheduled, ours)
  end
end
