defmodule HfHub.Flows.JobsTest do
  # Jobs that a Local Hub really runs.
  use HfHub.Case, async: true

  alias HfHub.{Error, Jobs, LocalHub}

  @secret "hunter2-is-no-secret"

  setup context do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"), jobs: :local)
    LocalHub.command!(hub, ["user", "add", "ann", "--token", "hf_ann"])
    LocalHub.command!(hub, ["user", "add", "bob", "--token", "hf_bob"])
    ours = [endpoint: LocalHub.endpoint(hub), token: "hf_ann", retry_delay: 10]
    {:ok, local: hub, ours: ours, wait: [poll_interval: 20, timeout: 30_000] ++ ours}
  end

  defp shell(script, opts), do: Jobs.run!("alpine", ["sh", "-c", script], opts)

  test "a job runs to its end, and its log is followed", %{ours: ours, wait: wait} do
    opts = [env: %{"A" => "1"}, secrets: %{"TOKEN" => @secret}, labels: %{"team" => "nlp"}, expose: [8000]]
    job = shell("echo $A; printf %s \"$TOKEN\" | wc -c; sleep 0.3; echo end", opts ++ ours)
    assert Jobs.logs(job, [follow: true] ++ ours) |> Enum.map(&String.trim/1) == ["1", "20", "end"]

    assert {:ok, done} = Jobs.wait(job, wait)
    assert %{status: %{stage: :completed, expose_urls: [_url]}, labels: %{"team" => "nlp"}} = done
    assert %{owner: %{name: "ann", type: :user}, initiator: %{type: :user}, docker_image: "alpine"} = done
    assert done.secrets == %{"TOKEN" => "encrypted"}
    refute inspect(done, structs: false) =~ @secret
    assert Jobs.logs(job, [tail: 1] ++ ours) |> Enum.to_list() == ["end"]
    assert Jobs.metrics(job, ours) |> Enum.to_list() == []
    assert [%{id: id}] = Jobs.list!([labels: %{"team" => "nlp"}, stages: :completed] ++ ours)
    assert id == job.id
    assert Enum.any?(Jobs.list_hardware!(ours), &(&1.name == "cpu-basic"))
  end

  test "jobs that fail, are canceled or run too long have ended", %{ours: ours, wait: wait} do
    failed = shell("exit 3", [attempts: 2] ++ ours)
    slow = shell("sleep 300", [job_timeout: 1] ++ ours)
    canceled = shell("trap '' TERM; sleep 300; sleep 300", ours)
    assert {:ok, %{status: %{stage: :running}}} = Jobs.wait(canceled, [stages: :running] ++ wait)
    assert [%{memory_used_bytes: used}] = Jobs.metrics(canceled, ours) |> Enum.to_list()
    assert used > 0
    assert :ok = Jobs.cancel(canceled, ours)

    assert {:ok, [failed, slow, canceled]} = Jobs.wait([failed, slow, canceled], wait)
    assert %{stage: :error, message: "Job failed with exit code: 3", failure_count: 2} = failed.status
    assert %{stage: :error, message: "Job timed out after 1 s"} = slow.status
    assert %{stage: :canceled} = canceled.status

    assert {:ok, again} = Jobs.rerun(failed, ours)
    assert again.initiator.type == :duplicated_job
    assert %{status: %{stage: :error}} = Jobs.wait!(again, wait)
    assert %{labels: %{"a" => "b"}} = Jobs.update_labels!(again, %{a: "b"}, ours)

    assert %{expose: [1, 2], expose_public: [2]} =
             Jobs.update_expose!(again, [expose: [1], expose_public: [2]] ++ ours)
  end

  test "jobs of others do not exist, and uv is needed for its jobs", %{ours: ours} do
    job = shell("true", ours)
    theirs = Keyword.put(ours, :token, "hf_bob")
    assert {:error, %Error{kind: kind}} = Jobs.get(job, theirs)
    assert kind in [:not_found, :repo_not_found, :job_not_found] or flunk(inspect(kind))

    unless System.find_executable("uv") do
      assert {:error, %Error{status: 501, message: message}} = Jobs.run_uv("https://a.test/b.py", ours)
      assert message =~ "uv is not installed where the Local Hub runs"
    end
  end

  test "a request for a job to a Hub without them is an error that shows how to allow them", context do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "other"))
    LocalHub.command!(hub, ["user", "add", "ann", "--token", "hf_ann"])
    opts = Keyword.put(context.ours, :endpoint, LocalHub.endpoint(hub))
    assert {:error, %Error{status: 501, message: message}} = Jobs.run("alpine", ["true"], opts)
    assert message =~ "--jobs local"
  end

  test "a job that runs when the Hub stops has failed", %{local: hub, ours: ours} = context do
    job = shell("echo up; sleep 300", ours)
    assert ["up"] = job |> Jobs.logs([follow: true] ++ ours) |> Enum.take(1)
    LocalHub.stop(hub)
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"), jobs: :local)
    job = Jobs.get!(job, Keyword.put(ours, :endpoint, LocalHub.endpoint(hub)))
    assert %{stage: :error, message: "The Local Hub was stopped while the job ran"} = job.status
  end
end
