defmodule HfHub.ScheduledJobsTest do
  # What the Hub's responses lead to; test/parity compares the requests with the Python client.
  use HfHub.Case, async: true

  alias HfHub.{Error, ScheduledJobs}
  alias HfHub.ScheduledJobs.JobSpec

  # A namespace of the test's own.
  setup do
    owner = "scheduled-#{System.unique_integer([:positive])}-#{System.pid()}"
    {:ok, owner: owner, ours: write(namespace: owner, retries: 0)}
  end

  defp plant(context, path, body, code \\ 200) do
    headers = %{"content-type" => "application/json"}

    fault("{/api/scheduled-jobs/#{context.owner}#{path}}", %{
      kind: "status",
      code: code,
      headers: headers,
      body: body
    })
  end

  test "bad arguments are errors before a request, which show what is allowed", %{ours: ours} = context do
    create = fn more -> ScheduledJobs.create("i", ["c"], more ++ ours) end

    for {fun, message} <- [
          {fn -> create.([]) end, ~r/option :schedule is required/},
          {fn -> create.(schedule: "@sometimes") end,
           ~r/one of @annually, @yearly, .*five fields such as "0 9/},
          {fn -> create.(schedule: "9 * *") end, ~r/cron expression/},
          {fn -> create.(schedule: "@daily", ssh: true) end, ~r/unknown option :ssh/},
          {fn -> create.(schedule: "@daily", labels: %{"a" => "b c"}) end, ~r/the label "a" .*got: "b c"/},
          {fn -> create.(schedule: "@daily", name: "a/b") end, ~r/the label "name"/},
          {fn -> ScheduledJobs.create_uv("x.py", [schedule: "@daily"] ++ ours) end,
           ~r/is not a file of this machine/},
          {fn -> ScheduledJobs.update_schedule("s", :daily, ours) end, ~r/one of @annually/},
          {fn -> ScheduledJobs.update_labels("s", %{"a" => "ü"}, ours) end, ~r/the label "a"/}
        ] do
      assert_raise ArgumentError, message, fun
    end

    assert requests(context.owner) == []
    assert {:error, %Error{kind: :invalid_name}} = ScheduledJobs.delete("..", ours)
  end

  test "secrets are in no error or inspection", %{ours: ours} = context do
    plant(context, "", ~s({"error":"no variable may be hush-hush"}), 400)
    options = [schedule: "@daily", secrets: %{"S" => "hush-hush"}] ++ ours
    assert {:error, %Error{kind: :bad_request} = error} = ScheduledJobs.create("i", ["c"], options)
    assert error.message =~ "no variable may be"
    refute inspect(error) =~ "hush-hush"

    plant(
      context,
      "/s",
      ~s({"id":"s","jobSpec":{"secrets":{"S":"hush-hush"},"environment":{"E":"hush-hush"}}})
    )

    job = ScheduledJobs.get!("s", ours)
    refute inspect(job) =~ "hush-hush"
    refute inspect(job.job_spec) =~ "hush-hush"
    assert :secrets not in HfHub.Schema.Json.names(JobSpec.__fields__())
  end

  test "malformed responses are errors, and missing fields are nil", %{ours: ours} = context do
    plant(context, "", ~s([{"schedule":"@daily"}]))
    assert {:error, %Error{kind: :invalid_response}} = ScheduledJobs.list(ours)
    plant(context, "/bare", ~s({"id":"bare","status":null,"jobSpec":null,"owner":null,"createdAt":1}))
    assert %{id: "bare", status: nil, job_spec: nil, owner: nil} = ScheduledJobs.get!("bare", ours)
    plant(context, "/none/suspend", ~s({"error":"not found"}), 404)
    assert {:error, %Error{kind: :not_found, message: message}} = ScheduledJobs.suspend("none", ours)
    assert message =~ ~s(the scheduled job "none" of "#{context.owner}" was not found)
  end
end
