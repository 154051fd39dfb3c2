defmodule HfHub.Parity.CLIServicesTest do
  # `hf` and the command line of this library, side by side: buckets and jobs.
  use HfHub.SideBySide

  import HfHub.TwoHubs, only: [plant: 4]

  @id "687fb701029421ae5549d998"

  test "buckets", context do
    both(context, &write_files(&1, %{"b/a.txt" => "a", "b/logs/1.txt" => "1", "b/logs/2.txt" => "2"}))
    same(context, ~w(buckets create me/files --json))
    same(context, ~w(buckets create me/files))
    same(context, ~w(buckets create me/files --exist-ok --json))
    same(context, ~w(buckets ls --json))
    same(context, ~w(buckets info me/files --json))
    same(context, ~w(buckets sync b hf://buckets/me/files), stdout: false)
    same(context, ~w(buckets ls me/files -R --quiet))
    same(context, ~w(buckets ls me/files/logs -R --quiet))
    same(context, ~w(buckets ls me/files -R --tree --quiet))
    same(context, ~w(buckets rm me/files/a.txt --yes --json))
    same(context, ~w(buckets rm me/files/logs --recursive --dry-run))
    same(context, ~w(buckets rm me/files/logs --recursive --yes --json))
    same(context, ~w(buckets rm me/files --yes))
    same(context, ~w(buckets ls me/files --quiet))
    same(context, ~w(buckets settings me/files --private --json))
    same(context, ~w(buckets settings me/files))
    same(context, ~w(buckets move me/files me/moved --json))
    same(context, ~w(buckets delete me/moved))
    same(context, ~w(buckets delete me/moved --yes --json))
    same(context, ~w(buckets delete me/moved --yes))
  end

  defp job(stage) do
    %{
      "id" => @id,
      "createdAt" => "2026-01-02T03:04:05.678Z",
      "dockerImage" => "python:3.12",
      "command" => ["python", "-c", "1"],
      "arguments" => [],
      "environment" => %{"A" => "1"},
      "flavor" => "cpu-basic",
      "labels" => %{"name" => "n"},
      "status" => %{"stage" => stage, "message" => nil},
      "owner" => %{"id" => "o1", "name" => "me", "type" => "user"}
    }
  end

  test "jobs", context do
    plant(context, "GET", "/api/jobs/me", [job("RUNNING")])
    plant(context, "GET", "/api/jobs/me/#{@id}", job("COMPLETED"))
    plant(context, "POST", "/api/jobs/me/#{@id}/cancel", "")
    plant(context, "POST", "/api/jobs/me", job("SCHEDULING"))
    plant(context, "PUT", "/api/jobs/me/#{@id}/labels", job("RUNNING"))
    same(context, ~w(jobs ps --json))
    same(context, ~w(jobs ps --quiet))
    same(context, ["jobs", "inspect", @id, "--json"])
    same(context, ["jobs", "cancel", @id, "--json"])
    same(context, ["jobs", "wait", @id, "--json"])
    same(context, ["jobs", "labels", @id, "-l", "a=b", "--json"])
    same(context, ["jobs", "labels", @id])
    same(context, ~w(jobs run --detach --json python:3.12 python -c 1))
    same(context, ~w(jobs run --detach --quiet python:3.12 python --version))
    same(context, ~w(jobs run), stdout: false)
  end
end
