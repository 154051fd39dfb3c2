defmodule HfHub.Parity.JobsTest do
  # The Local Hub has no jobs, so it gets the Hub's responses for each test.
  use HfHub.TwoHubs

  alias HfHub.Jobs
  alias HfHub.Jobs.{JobAccelerator, JobHardware, Volume}

  @show """
  import time
  warnings.simplefilter("ignore")
  time.sleep = lambda seconds: None
  def show(j):
      s, d, i = j.status, j.durations, j.initiator
      time_of = lambda t: t and int(t.timestamp() * 1000)
      print(j.id, j.docker_image, j.space_id, j.command, j.arguments, j.flavor, sorted((j.labels or {}).items()),
            s.stage, s.message, s.expose_urls, s.ssh_url, time_of(j.created_at), time_of(j.started_at),
            time_of(j.finished_at), d and [d.scheduling_secs, d.running_secs, d.total_secs],
            [j.owner.id, j.owner.name, j.owner.type], i and [i.type, i.id, i.name],
            j.network and [j.network.group, j.network.aliases], j.retry, j.expose, j.expose_public,
            [[v.type, v.source, v.mount_path, v.revision, v.read_only, v.path] for v in j.volumes or []],
            j.url.replace(api.endpoint, ""), sep="|")
  """

  @id "687fb701029421ae5549d998"

  defp json(more \\ %{}) do
    Map.merge(
      %{
        "id" => @id,
        "createdAt" => "2026-01-02T03:04:05.678Z",
        "dockerImage" => "python:3.12",
        "command" => ["python", "-c", "1"],
        "arguments" => [],
        "environment" => %{"A" => "1"},
        "secrets" => %{},
        "flavor" => "cpu-basic",
        "status" => %{"stage" => "RUNNING", "message" => nil},
        "owner" => %{"id" => "o1", "name" => "acme", "type" => "org"}
      },
      more
    )
  end

  defp stage(stage), do: json(%{"status" => %{"stage" => stage}})

  defp show(job, context) do
    status = job.status
    owner = job.owner
    stage = if is_atom(status.stage), do: status.stage |> to_string() |> String.upcase(), else: status.stage
    initiator = job.initiator && [type(job.initiator.type), job.initiator.id, job.initiator.name]

    durations =
      job.durations && [job.durations.scheduling_secs, job.durations.running_secs, job.durations.total_secs]

    volumes =
      for v <- job.volumes || [], do: [type(v.type), v.source, v.mount_path, v.revision, v.read_only, v.path]

    fields = [
      job.id,
      job.docker_image,
      job.space_id,
      job.command,
      job.arguments,
      job.flavor,
      {:pairs, Enum.sort(job.labels || %{})},
      stage,
      status.message,
      status.expose_urls,
      status.ssh_url,
      time(job.created_at),
      time(job.started_at),
      time(job.finished_at),
      durations,
      [owner.id, owner.name, type(owner.type)],
      initiator,
      job.network && [job.network.group, job.network.aliases],
      job.retry,
      job.expose,
      job.expose_public,
      volumes,
      String.replace(job.url, context.hubs.ours, "")
    ]

    Enum.map_join(fields, "|", fn field -> if is_binary(field), do: field, else: python(field) end)
  end

  defp type(:scheduled_job), do: "scheduled-job"
  defp type(type) when is_atom(type), do: to_string(type)
  defp type(type), do: type

  defp time(time), do: time && DateTime.to_unix(time, :millisecond)

  defp python(nil), do: "None"
  defp python(boolean) when is_boolean(boolean), do: boolean |> to_string() |> String.capitalize()

  defp python({:pairs, pairs}),
    do: "[" <> Enum.map_join(pairs, ", ", fn {k, v} -> "('#{k}', '#{v}')" end) <> "]"

  defp python(list) when is_list(list), do: "[" <> Enum.map_join(list, ", ", &python/1) <> "]"
  defp python(text) when is_binary(text), do: "'#{text}'"
  defp python(other), do: to_string(other)

  test "starting jobs sends the same requests and returns the same", %{ours: ours} = context do
    full = %{
      "startedAt" => "2026-01-02T03:04:06Z",
      "finishedAt" => "2026-01-02T03:05:06.001Z",
      "dockerImage" => nil,
      "spaceId" => "acme/space",
      "labels" => %{"a" => "b", "name" => "n"},
      "volumes" => [
        %{"source" => "acme/m", "mountPath" => "/m"},
        %{"type" => "bucket", "source" => "acme/b", "mountPath" => "/b", "readOnly" => false, "path" => "p"},
        %{"type" => "of-next-year", "source" => "acme/x", "mountPath" => "/x", "revision" => "v1"}
      ],
      "status" => %{
        "stage" => "HIBERNATED",
        "message" => "zzz",
        "exposeUrls" => ["https://a"],
        "sshUrl" => "ssh://b"
      },
      "durations" => %{"schedulingSecs" => 1, "runningSecs" => nil, "totalSecs" => 60},
      "initiator" => %{"type" => "scheduled-job", "id" => "s1"},
      "network" => %{"group" => "g"},
      "retry" => 2,
      "expose" => %{"ports" => [8000, 9000], "portsPublic" => [9000]}
    }

    plant(context, "POST", "/api/jobs/me", json())
    plant(context, "POST", "/api/jobs/acme", json(full))

    output =
      theirs(
        context,
        @show <>
          """
          show(api.run_job(image="python:3.12", command=["python", "-c", "1"]))
          show(api.run_job(image="registry.test/a/pytorch:2.6.0-ünï", command=["x", "ü"], namespace="acme", env={"K": "V"},
              secrets={"S": "T"}, flavor="a10g-small", timeout="1.5h", attempts=3, labels={"a": "b"}, expose=[8000, 8000],
              expose_public=[9000], ssh=True, network_group="g", network_aliases=["m"], resource_group_id="rg",
              volumes=[Volume(type="bucket", source="acme/b", mount_path="/data", read_only=True, path="p"),
                       Volume(source="acme/m", mount_path="/m", revision="v1")]))
          for image in ["hf.co/spaces/acme/app", "https://huggingface.co/spaces/acme/app", "a/b/", "ubuntu"]:
              api.run_job(image=image, command=[], namespace="acme", network_group="g", timeout=90.7)
          api.run_job(image="i", command=["c"], namespace="acme", name="mine", timeout="30m", labels={})
          api.run_job(image="i", command=["c"], namespace="acme", labels={"name": "ours"}, timeout="2d", env={}, secrets={})
          for script in ["https://hf.co/x/train.py?raw=1#top", "lighteval", "https://hf.co/", "a b/c"]:
              api.run_uv_job(script, namespace="acme", script_args=["--epochs", "3"], timeout="45s")
          api.run_uv_job("https://hf.co/x.py", namespace="acme", dependencies=["trl", "torch==2"], python="3.11",
              image="hf.co/spaces/acme/app", secrets={"HF_TOKEN": "t"}, flavor="l4x1", name="n")
          """
      )

    job = Jobs.run!("python:3.12", ["python", "-c", "1"], ours)
    acme = [namespace: "acme"] ++ ours

    more = [
      env: [K: "V"],
      secrets: %{"S" => "T"},
      flavor: :a10g_small,
      job_timeout: "1.5h",
      attempts: 3,
      labels: %{"a" => "b"},
      expose: [8000, 8000],
      expose_public: [9000],
      ssh: true,
      network_group: "g",
      network_aliases: ["m"],
      resource_group_id: "rg",
      volumes: [
        %{type: :bucket, source: "acme/b", mount_path: "/data", read_only: true, path: "p"},
        %Volume{source: "acme/m", mount_path: "/m", revision: "v1"}
      ]
    ]

    other = Jobs.run!("registry.test/a/pytorch:2.6.0-ünï", ["x", "ü"], more ++ acme)
    assert other.network.aliases == []
    assert output == show(job, context) <> "\n" <> show(other, context)

    for image <- ["hf.co/spaces/acme/app", "https://huggingface.co/spaces/acme/app", "a/b/", "ubuntu"],
        do: Jobs.run!(image, [], [network_group: "g", job_timeout: 90.7] ++ acme)

    Jobs.run!("i", ["c"], [name: "mine", job_timeout: "30m", labels: %{}] ++ acme)
    Jobs.run!("i", ["c"], [labels: [name: "ours"], job_timeout: "2d", env: %{}, secrets: %{}] ++ acme)

    for script <- ["https://hf.co/x/train.py?raw=1#top", "lighteval", "https://hf.co/", "a b/c"],
        do: Jobs.run_uv!(script, [script_args: ["--epochs", "3"], job_timeout: "45s"] ++ acme)

    uv = [
      dependencies: ["trl", "torch==2"],
      python: "3.11",
      image: "hf.co/spaces/acme/app",
      flavor: "l4x1",
      name: "n"
    ]

    Jobs.run_uv!("https://hf.co/x.py", uv ++ [secrets: %{"HF_TOKEN" => "t"}] ++ acme)
    assert_same(context)
  end

  test "reading and changing jobs sends the same requests and returns the same", %{ours: ours} = context do
    stages = ~w(SCHEDULING RUNNING COMPLETED CANCELED ERROR DELETED PAUSED)
    plant(context, "GET", "/api/jobs/me", Enum.map(stages, &stage/1))
    plant(context, "GET", "/api/jobs/acme/#{@id}", stage("RUNNING"), times: 1)

    for {stage, skip} <- [{"SCHEDULING", 1}, {"RUNNING", 2}, {"SCHEDULING", 3}, {"UPDATING", 4}],
        do: plant(context, "GET", "/api/jobs/acme/#{@id}", stage(stage), skip: skip, times: 1)

    plant(context, "GET", "/api/jobs/acme/#{@id}", stage("ERROR"), skip: 5)
    plant(context, "PUT", "/api/jobs/acme/#{@id}/labels", json(%{"labels" => %{"a" => "b"}}))
    plant(context, "PUT", "/api/jobs/acme/#{@id}/expose", json())
    plant(context, "POST", "/api/jobs/acme/#{@id}/duplicate", json())
    plant(context, "POST", "/api/jobs/acme/#{@id}/cancel", "")

    output =
      theirs(
        context,
        @show <>
          """
          import os
          os.environ["HF_TOKEN"] = "hf_me"
          for j in api.list_jobs(status=["running", "ERROR"], labels={"a": "b c", "d": "ü"}):
              show(j)
          list(api.list_jobs(namespace="me"))
          at = {"job_id": "#{@id}", "namespace": "acme"}
          show(api.inspect_job(**at))
          print(api.wait_for_job(at["job_id"], namespace="acme", stages=[JobStage.RUNNING]).status.stage)
          print([j.status.stage for j in api.wait_for_job([at["job_id"], at["job_id"]], namespace="acme")])
          show(api.update_job_labels(labels={"a": "b"}, **at))
          for ports in [{"expose": [8000], "expose_public": [9000, 8000]}, {}]:
              api.update_job_expose(**ports, **at)
          show(api.rerun_job(**at))
          api.cancel_job(**at)
          """
      )

    jobs = Jobs.list!([stages: [:running, "ERROR"], labels: %{"a" => "b c", "d" => "ü"}] ++ ours)

    assert for(%{status: status} <- jobs, do: status.stage) ==
             [:scheduling, :running, :completed, :canceled, :error, :deleted, "PAUSED"]

    assert length(Enum.to_list(Jobs.stream([namespace: "me"] ++ ours))) == 7
    acme = [namespace: "acme", poll_interval: 1] ++ ours
    at = Keyword.delete(acme, :poll_interval)
    job = Jobs.get!(@id, at)
    assert Jobs.wait!(job, [stages: [:running], poll_interval: 1] ++ ours).status.stage == :running
    assert [%{status: %{stage: :error}}, %{status: %{stage: :error}}] = Jobs.wait!([@id, @id], acme)
    labelled = Jobs.update_labels!(@id, %{a: "b"}, at)
    assert labelled.labels == %{"a" => "b"}
    Jobs.update_expose!(@id, [expose: [8000], expose_public: [9000, 8000]] ++ at)
    Jobs.update_expose!(job, ours)
    again = Jobs.rerun!(@id, at)
    assert :ok = Jobs.cancel(@id, at)
    shown = Enum.map(jobs ++ [job], &show(&1, context)) ++ ["RUNNING", "['ERROR', 'ERROR']"]
    assert String.split(output, "\n") == shown ++ Enum.map([labelled, again], &show(&1, context))
    assert_same(context)
  end

  test "hardware sends the same request and returns the same", %{ours: ours} = context do
    accelerator = %{
      "type" => "gpu",
      "model" => "T4",
      "quantity" => "1",
      "vram" => "16 GB",
      "manufacturer" => "Nvidia"
    }

    unit = %{
      "name" => "t4-small",
      "prettyName" => "Nvidia T4 - small",
      "cpu" => "4 vCPU",
      "ram" => "15 GB",
      "ephemeralStorage" => "50 GB",
      "accelerator" => accelerator,
      "unitCostMicroUSD" => 6667,
      "unitCostUSD" => 0.006667,
      "unitLabel" => "minute"
    }

    plant(context, "GET", "/api/jobs/hardware", [unit, Map.drop(unit, ["accelerator", "ephemeralStorage"])])

    output =
      theirs(context, """
      for h in api.list_jobs_hardware():
          a = h.accelerator
          print(h.name, h.pretty_name, h.cpu, h.ram, h.ephemeral_storage, h.unit_cost_micro_usd, h.unit_cost_usd,
                h.unit_label, *(a and [a.type, a.model, a.quantity, a.vram, a.manufacturer] or []), sep="|")
      """)

    fields = fn struct, module, without ->
      for {name, _from, _type, _doc, _opts} <- module.__fields__(),
          name not in without,
          do: Map.fetch!(struct, name)
    end

    shown =
      for unit <- Jobs.list_hardware!(ours) do
        unit = %{unit | ephemeral_storage: unit.ephemeral_storage || "N/A"}
        more = if unit.accelerator, do: fields.(unit.accelerator, JobAccelerator, []), else: []
        Enum.map_join(fields.(unit, JobHardware, [:accelerator]) ++ more, "|", &to_string/1)
      end

    assert String.split(output, "\n") == shown
    assert_same(context)
  end

  defp events(lines, from \\ 1) do
    for {line, second} <- Enum.with_index(lines, from), into: ": keep-alive\n\n" do
      time = "2026-01-02T03:04:#{String.pad_leading("#{second}", 2, "0")}Z"
      ~s(data: {"data":"#{line}","timestamp":"#{time}"}\n\n)
    end
  end

  @sse [type: "text/event-stream"]

  test "logs send the same requests and return the same lines", %{ours: ours} = context do
    job = "/api/jobs/acme/#{@id}"
    start = "===== Job started at 2026-01-02 ====="
    all = [start, "one", "two", "two", "three", ""]

    # The log of a job that runs while it is read, twice: the stream ends before the job.
    for {lines, skip} <- [{[start, "one"], 0}, {Enum.take(all, 4), 1}, {all, 2}, {all, 3}],
        do: plant(context, "GET", job <> "/logs", events(lines), [skip: skip, times: 1] ++ @sse)

    for skip <- [0, 1, 2, 3], do: plant(context, "GET", job, stage("RUNNING"), skip: skip, times: 1)
    plant(context, "GET", job, stage("COMPLETED"), skip: 4)
    # The last lines: another line, and the log from the beginning, whose numbers were not known.
    plant(context, "GET", "/api/jobs/acme/tail/logs", events(["two", "three"], 4), [times: 1] ++ @sse)
    whole = events(["one", "x", "y", "two", "three", "four"])
    plant(context, "GET", "/api/jobs/acme/tail/logs", whole, [skip: 1] ++ @sse)

    for skip <- [0, 1],
        do: plant(context, "GET", "/api/jobs/acme/tail", stage("RUNNING"), skip: skip, times: 1)

    plant(context, "GET", "/api/jobs/acme/tail", stage("ERROR"), skip: 2)
    # The event that was read last is missing.
    plant(context, "GET", "/api/jobs/acme/gap/logs", events(["lost"], 2), [times: 1] ++ @sse)

    plant(
      context,
      "GET",
      "/api/jobs/acme/gap/logs",
      events(["a"], 1) <> events(["c", "d"], 3),
      [skip: 1] ++ @sse
    )

    for skip <- [0, 1],
        do: plant(context, "GET", "/api/jobs/acme/gap", stage("RUNNING"), skip: skip, times: 1)

    plant(context, "GET", "/api/jobs/acme/gap", stage("CANCELED"), skip: 2)

    output =
      theirs(
        context,
        @show <>
          """
          print(list(api.fetch_job_logs(job_id="#{@id}", namespace="acme", follow=True)))
          print(list(api.fetch_job_logs(job_id="#{@id}", namespace="acme")))
          print(list(api.fetch_job_logs(job_id="tail", namespace="acme", tail=2, follow=True)))
          print(list(api.fetch_job_logs(job_id="gap", namespace="acme", tail=1, follow=True)))
          """
      )

    acme = [namespace: "acme", retry_delay: 1] ++ ours

    read = [
      Jobs.logs(@id, [follow: true] ++ acme),
      Jobs.logs(@id, acme),
      Jobs.logs("tail", [tail: 2, follow: true] ++ acme),
      Jobs.logs("gap", [tail: 1, follow: true] ++ acme)
    ]

    assert output == Enum.map_join(read, "\n", &python(Enum.to_list(&1)))

    assert output == """
           ['one', 'two', 'two', 'three', '']
           ['one', 'two', 'two', 'three', '']
           ['two', 'three', 'four']
           ['lost', 'c', 'd']\
           """

    assert_same(context)
  end

  test "metrics send the same requests and return the same samples", %{ours: ours} = context do
    sample = fn cpu ->
      ~s(event: metric\ndata: {"cpu_usage_pct":#{cpu},"cpu_millicores":3500,"memory_used_bytes":1417216,) <>
        ~s("memory_total_bytes":15032385536,"rx_bps":0,"tx_bps":1,"gpus":{"d901":{"utilization":7,) <>
        ~s("memory_used_bytes":0,"memory_total_bytes":22836000000}},"replica":"j6qz9"}\n\n)
    end

    job = "/api/jobs/acme/#{@id}"
    plant(context, "GET", job <> "/metrics", sample.(1) <> sample.(2), [times: 1] ++ @sse)
    plant(context, "GET", job <> "/metrics", sample.(3) <> sample.(4), [skip: 1, times: 1] ++ @sse)
    plant(context, "GET", job <> "/metrics", sample.(5), [skip: 2, times: 1] ++ @sse)
    plant(context, "GET", job <> "/metrics", %{"error" => "it has ended"}, code: 406, skip: 3)
    for skip <- [0, 1], do: plant(context, "GET", job, stage("RUNNING"), skip: skip, times: 1)
    plant(context, "GET", job, stage("RUNNING"), skip: 2, times: 2)
    plant(context, "GET", job, stage("COMPLETED"), skip: 4)

    output =
      theirs(
        context,
        @show <>
          """
          show = lambda samples: print([[m["cpu_usage_pct"], m["gpus"]["d901"]["utilization"], m["replica"]] for m in samples])
          at = {"job_id": "#{@id}", "namespace": "acme"}
          show(api.fetch_job_metrics(**at))
          show(api.fetch_job_metrics(follow=True, **at))
          show(api.fetch_job_metrics(**at))
          """
      )

    acme = [namespace: "acme", retry_delay: 1] ++ ours

    shown =
      for options <- [[], [follow: true], []] do
        samples = Enum.to_list(Jobs.metrics(@id, options ++ acme))
        python(for m <- samples, do: [m.cpu_usage_pct, m.gpus["d901"].utilization, m.replica])
      end

    assert String.split(output, "\n") == shown
    assert shown == ["[[1, 7, 'j6qz9']]", "[[3, 7, 'j6qz9'], [4, 7, 'j6qz9'], [5, 7, 'j6qz9']]", "[]"]
    assert_same(context)
  end
end
