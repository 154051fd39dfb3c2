defmodule HfHub.JobsTest do
  # What the Hub's responses lead to. The Local Hub has no jobs, so it gets the responses for each test; test/parity
  # compares the requests with the Python client.
  use HfHub.Case, async: true

  import ExUnit.CaptureLog

  alias HfHub.{Error, Jobs}
  alias HfHub.Jobs.{JobInfo, JobMetrics}

  # A namespace of the test's own.
  setup do
    owner = "jobs-#{System.unique_integer([:positive])}-#{System.pid()}"
    {:ok, owner: owner, ours: write(namespace: owner, retries: 2, retry_delay: 1)}
  end

  defp plant(context, path, body, more \\ []) do
    {more, rule} = Keyword.split(more, [:code, :type])
    headers = %{"content-type" => more[:type] || "application/json"}
    fault = %{kind: "status", code: more[:code] || 200, headers: headers, body: body}
    fault("{/api/jobs/#{context.owner}#{path}}", fault, Map.new(rule))
  end

  defp job(stage), do: ~s({"id":"j","status":{"stage":"#{stage}"}})

  defp events(lines) do
    Enum.map_join(lines, fn line -> ~s(data: {"data":"#{line}","timestamp":"2026-01-02T03:04:05Z"}\n\n) end)
  end

  @sse [type: "text/event-stream"]

  test "bad arguments are errors before a request, which show what is allowed", %{ours: ours} = context do
    run = fn more -> Jobs.run("i", ["c"], more ++ ours) end
    script = Path.join(context.dir, "run me")
    File.write!(script, "print(1)")

    for {fun, message} <- [
          {fn -> Jobs.run("", ["c"], ours) end, ~r/name of a Docker image or the URL of a Space/},
          {fn -> Jobs.run("i", "python -V", ours) end,
           ~r/list of strings, such as \["python", "-V"\], got: a string/},
          {fn -> run.(flavor: "CPU basic") end, ~r/:flavor to be one of cpu-basic, .* rtx-pro-6000x8/},
          {fn -> run.(job_timeout: "3 weeks") end, ~r/"30m", "1.5h" or "2d", got: "3 weeks"/},
          {fn -> run.(job_timeout: 0) end, ~r/at least one second/},
          {fn -> run.(job_timeout: "0.5s") end, ~r/at least one second/},
          {fn -> run.(name: "n", labels: %{"name" => "m"}) end, ~r/:name cannot be combined/},
          {fn -> run.(expose: [0]) end, ~r/:expose to be a list of positive integers/},
          {fn -> run.(expose_public: [65_536]) end, ~r/ports from 1 to 65535, got: 65536/},
          {fn -> run.(network_aliases: ["a"]) end, ~r/:network_aliases requires :network_group/},
          {fn -> run.(volumes: [%{source: "a/b"}]) end,
           ~r/:volumes to be a list of maps with :source, :mount_path/},
          {fn -> run.(volumes: %{}) end, ~r/:volumes to be a list of maps/},
          {fn -> run.(timeout: "30m") end, ~r/:timeout to be a positive integer/},
          {fn -> Jobs.list([stages: :done] ++ ours) end,
           ~r/`:scheduling`, `:running`, `:completed`.*or a list/},
          {fn -> Jobs.wait("j", [stages: [:done]] ++ ours) end, ~r/`:completed`/},
          {fn -> Jobs.update_labels("j", ["a"], ours) end, ~r/:labels to be a map of names to strings/},
          {fn -> Jobs.run_uv("train.py", ours) end, ~r/"train.py" is not a file of this machine.* or a URL/},
          {fn -> Jobs.run_uv(script, [volumes: [%{source: "a/b", mount_path: "/data"}]] ++ ours) end,
           ~r/mount the volume at another path/},
          {fn -> Jobs.run_uv(script, [flavor: "CPU basic"] ++ ours) end, ~r/:flavor to be one of/},
          {fn -> Jobs.sync_volume(context.dir, "data", ours) end, ~r/begin with "\/"/},
          {fn -> Jobs.run_uv("https://a.test/b.py", [script_args: ["config.yaml"]] ++ ours) end,
           ~r/"config.yaml"/}
        ] do
      assert_raise ArgumentError, message, fun
    end

    assert requests(context.owner) == []
  end

  describe "files of this machine" do
    setup :writer
    setup %{account: account} = context, do: {:ok, owner: account, ours: write(token: context.writer)}

    defp content(bucket, path, context, opts) do
      [file] = HfHub.Buckets.download!(bucket, [path], [local_dir: Path.join(context.dir, "out")] ++ opts)
      File.read!(file)
    end

    test "are uploaded to a private bucket that the job mounts", %{ours: ours} = context do
      plant(context, "", job("RUNNING"))
      one = Path.join(folder(context, %{"my run.py" => "print(1)"}), "my run.py")
      two = Path.join(folder(context, %{"my_run.py" => "print(2)"}), "my_run.py")
      volume = %{type: :dataset, source: "a/b", mount_path: "/in"}
      opts = [script_args: ["--config", two, "3"], dependencies: ["trl"], volumes: [volume]] ++ ours
      assert {:ok, %JobInfo{id: "j"}} = Jobs.run_uv(one, opts)
      [%{"body" => sent}] = asked(context.owner, "/api/jobs/")
      assert sent["command"] == ~w(uv run --with trl /data/my_run.py --config /data/my_run\(0\).py 3)
      assert sent["labels"]["name"] =~ ~r/\Amy-run-[0-9a-f]{8}\z/

      bucket = context.owner <> "/jobs-artifacts"
      assert [%{"source" => "a/b"}, %{"source" => ^bucket, "path" => folder} = mounted] = sent["volumes"]
      assert %{"type" => "bucket", "mountPath" => "/data", "readOnly" => false} = mounted
      assert content(bucket, folder <> "/my_run.py", context, ours) == "print(1)"
      assert content(bucket, folder <> "/my_run(0).py", context, ours) == "print(2)"
      assert HfHub.Buckets.get!(bucket, ours).private
    end

    test "are synchronized to a volume", %{ours: ours} = context do
      local = folder(context, %{"a.txt" => "a", "d/b.txt" => "b"})
      assert {:ok, volume} = Jobs.sync_volume(local, "/in", ours)
      assert %Jobs.Volume{type: :bucket, mount_path: "/in", read_only: true} = volume
      assert volume.path =~ ~r/\A#{Path.basename(local)}-[0-9a-f]{8}\z/
      assert content(volume.source, volume.path <> "/d/b.txt", context, ours) == "b"
      objects = length(asked(context.owner, "/batch"))
      assert {:ok, ^volume} = Jobs.sync_volume(local, "/in", ours)
      assert length(asked(context.owner, "/batch")) == objects

      empty = Path.join(context.dir, "empty")
      File.mkdir_p!(empty)
      :ok = HfHub.Buckets.update_settings(volume.source, [private: false] ++ ours)
      opts = [remote_name: "out", read_only: false] ++ ours
      {result, log} = with_log(fn -> Jobs.sync_volume(empty, "/out", opts) end)
      assert {:ok, %{path: "out", read_only: false}} = result
      assert log =~ "is public"
      assert content(volume.source, "out/.keep", context, ours) == ""
      assert {:error, %Error{kind: :io}} = Jobs.sync_volume("/nonexistent", "/in", ours)
    end
  end

  test "secrets are in no error, log or inspection", %{ours: ours} = context do
    plant(context, "", ~s({"error":"no variable may be hush-hush"}), code: 400)
    options = [secrets: %{"S" => "hush-hush"}] ++ ours

    log =
      capture_log(fn ->
        assert {:error, %Error{kind: :bad_request} = error} = Jobs.run("i", ["c"], options)
        assert error.message =~ "no variable may be"
        refute inspect(error) =~ "hush-hush"
        raised = assert_raise ArgumentError, fn -> Jobs.run("i", ["c"], [secrets: ["hush-hush"]] ++ ours) end
        refute raised.message =~ "hush-hush"
      end)

    refute log =~ "hush-hush"
    plant(context, "/j", ~s({"id":"j","secrets":{"S":"hush-hush"},"environment":{"E":"hush-hush"}}))
    job = Jobs.get!("j", ours)
    assert job.secrets == %{"S" => "hush-hush"}
    refute inspect(job) =~ "hush-hush"
    assert :secrets not in HfHub.Schema.Json.names(JobInfo.__fields__())
  end

  test "malformed responses are errors, and missing fields are nil", %{ours: ours} = context do
    for {path, body} <- [{"", "{}"}, {"/list", "[]"}, {"/nameless", ~s({"status":{}})}],
        do: plant(context, path, body)

    invalid = fn result -> assert {:error, %Error{kind: :invalid_response}} = result end
    invalid.(Jobs.list(ours))
    invalid.(Jobs.get("list", ours))
    invalid.(Jobs.wait("nameless", ours))
    plant(context, "/bare", ~s({"id":"bare","status":null,"owner":{},"labels":null,"volumes":"none"}))
    assert %{id: "bare", status: nil, url: nil, labels: nil, volumes: nil} = Jobs.get!("bare", ours)
  end

  test "waiting shows each stage, and ends before a pause that is longer than the timeout",
       %{ours: ours} = context do
    plant(context, "/j", job("SCHEDULING"), times: 1)
    plant(context, "/j", job("COMPLETED"), skip: 1)
    me = self()
    options = [poll_interval: 1, on_wait: &send(me, {:waits, &1.status.stage})] ++ ours
    assert {:ok, %{status: %{stage: :completed}}} = Jobs.wait("j", options)
    assert_received {:waits, :scheduling}

    plant(context, "/k", job("RUNNING"))
    options = [poll_interval: 600_000, timeout: 60_000] ++ ours
    assert {:error, %Error{kind: :timeout, message: message}} = Jobs.wait("k", options)
    assert message =~ ~s(the job "k" had not ended within 60000 ms: its stage is :running; )

    plant(context, "/l", job("SCHEDULING"))
    assert {:error, %Error{message: message}} = Jobs.wait(["j", "l"], [stages: [:running]] ++ options)

    assert message =~
             ~r/the job "l" \(2 of 2\) was not in stage RUNNING within \d+ ms: its stage is :scheduling; /
  end

  test "a broken log is continued after its last line", %{ours: ours} = context do
    lines = events(~w(one two three))
    plant(context, "/j/logs", lines, @sse)
    plant(context, "/j", job("RUNNING"), times: 1)
    plant(context, "/j", job("COMPLETED"), skip: 1)
    length = byte_size(events(["one"])) + 10
    fault("{/api/jobs/#{context.owner}/j/logs}", %{kind: "drop", after: length}, %{times: 1})
    assert Enum.to_list(Jobs.logs("j", [follow: true] ++ ours)) == ~w(one two three)
    assert length(asked(context.owner, "/logs")) == 2

    # Also without :follow.
    fault("{/api/jobs/#{context.owner}/j/logs}", %{kind: "drop", after: length}, %{times: 1})
    assert Enum.to_list(Jobs.logs("j", ours)) == ~w(one two three)
  end

  test "a log that stays broken is an error after its lines", %{ours: ours} = context do
    plant(context, "/j/logs", events(~w(one two)), @sse)
    plant(context, "/j", job("RUNNING"))
    fault("{/api/jobs/#{context.owner}/j/logs}", %{kind: "drop", after: byte_size(events(["one"])) + 10})
    me = self()
    logs = Jobs.logs("j", [follow: true] ++ ours)
    error = assert_raise Error, fn -> Enum.each(logs, &send(me, {:line, &1})) end
    assert error.kind == :transport
    assert_received {:line, "one"}
    refute_received {:line, _line}
    # The first request and two retries.
    assert length(asked(context.owner, "/logs")) == 3
  end

  test "a log without :follow ends when no line arrives, or with the first line that is newer",
       %{ours: ours} = context do
    plant(context, "/j/logs", events(~w(one two)), @sse)
    fault("{/api/jobs/#{context.owner}/j/logs}", %{kind: "stall", after: byte_size(events(["one"]))})
    assert Enum.to_list(Jobs.logs("j", [quiet: 500] ++ ours)) == ["one"]

    later = ~s(data: {"data":"later","timestamp":"2999-01-02T03:04:05Z"}\n\n)
    plant(context, "/k/logs", events(["one"]) <> later <> events(["two"]), @sse)
    assert Enum.to_list(Jobs.logs("k", ours)) == ["one"]
    plant(context, "/k", job("ERROR"))
    assert Enum.to_list(Jobs.logs("k", [follow: true] ++ ours)) == ["one", "later", "two"]
  end

  test "the timeout ends a log that is followed", %{ours: ours} = context do
    plant(context, "/j/logs", events(~w(one two)), @sse)
    fault("{/api/jobs/#{context.owner}/j/logs}", %{kind: "stall", after: byte_size(events(["one"]))})
    # Also between two requests: the job never ends.
    plant(context, "/k/logs", events(["one"]), @sse)
    plant(context, "/k", job("RUNNING"))
    options = [follow: true, timeout: 500, retry_delay: 50] ++ Keyword.delete(ours, :retry_delay)
    other = Task.async(fn -> Enum.to_list(Jobs.logs("k", options)) end)
    # On a slow machine the timeout may be over before the first line.
    assert Enum.to_list(Jobs.logs("j", options)) in [["one"], []]
    assert Task.await(other, 60_000) in [["one"], []]
  end

  test "halting a stream closes the connection, and a missing job is an error", %{ours: ours} = context do
    plant(context, "/j/logs", events(List.duplicate("line", 500)), @sse)
    fault("{/api/jobs/#{context.owner}/j/logs}", %{kind: "dribble", bytes: 60, every_ms: 20})
    assert Enum.take(Jobs.logs("j", [follow: true] ++ ours), 2) == ["line", "line"]
    eventually(fn -> match?([%{"aborted" => true}], asked(context.owner, "/logs")) end)

    for path <- ~w(/none /none/cancel /none/labels /none/logs),
        do: plant(context, path, ~s({"error":"Job not found"}), code: 404)

    error = assert_raise Error, fn -> Enum.to_list(Jobs.logs("none", [follow: true] ++ ours)) end
    assert error.kind == :not_found
    missing = ~s(the job "none" of "#{context.owner}" was not found; check both)
    assert error.message =~ missing

    for result <- [
          Jobs.get("none", ours),
          Jobs.cancel("none", ours),
          Jobs.update_labels("none", [], ours),
          Jobs.wait("none", ours)
        ] do
      assert {:error, %Error{kind: :not_found, message: message}} = result
      assert message =~ missing
    end

    assert [_once] = asked(context.owner, "/none/logs")
  end

  test "malformed metrics are an error, and unknown GPUs are not", %{ours: ours} = context do
    plant(context, "/j/metrics", ~s(data: {"gpus":{"a":{}}}\n\n), @sse)

    assert [%JobMetrics{cpu_usage_pct: nil, gpus: %{"a" => %{utilization: nil}}}] =
             Enum.to_list(Jobs.metrics("j", ours))

    plant(context, "/k/metrics", ~s(data: {"gpus":{"a":1}}\n\n), @sse)
    error = assert_raise Error, fn -> Enum.to_list(Jobs.metrics("k", ours)) end
    assert error.kind == :invalid_response
  end

  test "something that cannot be a job is an error before a request", %{ours: ours, owner: owner} do
    for job <- [nil, 5, [token: "hf_hush"]] do
      assert {:error, %Error{kind: :invalid_name, message: message}} = Jobs.get(job, ours)
      assert message =~ "expected its id as a string, or its struct"
      refute message =~ "hush"
      assert {:error, %Error{kind: :invalid_name}} = Jobs.cancel(job, ours)
      assert {:error, %Error{kind: :invalid_name}} = HfHub.ScheduledJobs.get(job, ours)
    end

    assert_raise Error, ~r/invalid job nil/, fn -> Enum.to_list(Jobs.metrics(nil, ours)) end
    assert requests(owner) == []
  end
end
