defmodule HfHub.Parity.CLIComputeTest do
  # `hf` and the command line of this library, side by side: jobs that really run, scheduled jobs, endpoints.
  use HfHub.SideBySide

  alias HfHub.{Jobs, LocalHub, ScheduledJobs}

  # Endpoints stay in the state that a command has put them in.
  @moduletag hub_options: [jobs: :local, endpoint_start: 3_600_000]

  defp ids(context, list) do
    for side <- [:theirs, :ours], do: hd(list.(endpoint: context.hubs[side], token: "hf_me")).id
  end

  test "jobs", context do
    same(context, ~w(jobs run --json --name first alpine echo hi))
    same(context, ["jobs", "run", "--quiet", "alpine", "sh", "-c", "exit 3"])
    same(context, ~w(jobs run --detach alpine))
    same(context, ~w(jobs run --json --detach --label name=a --name b alpine true))
    same(context, ~w(jobs run --json --detach -e A=1 --flavor t4-small --timeout 5m --attempts 2 alpine true))
    both(context, &write_files(&1, %{"hello.py" => "print('hi')", "inputs/a.txt" => "a"}))
    same(context, ~w(jobs run --json --detach -v ./none:/inputs alpine true))
    same(context, ~w(jobs run --json --detach -v ./inputs alpine true))
    first = ids(context, &Jobs.list!([labels: %{"name" => "first"}] ++ &1))

    same_of(context, ~w(jobs rerun ID --detach --json), first)
    same_of(context, ~w(jobs rerun ID --quiet), first)
    same_of(context, ~w(jobs expose ID 8000 --public 9000 --json), first)
    same_of(context, ~w(jobs expose ID --clear --json), first)
    same_of(context, ~w(jobs expose ID --clear 1), first)
    same_of(context, ~w(jobs expose ID), first)
    same_of(context, ~w(jobs expose ID x), first)
    same_of(context, ~w(jobs labels ID --label team=nlp --json), first)
    same_of(context, ~w(jobs labels ID --name second --json), first)
    same_of(context, ~w(jobs labels ID --name second --clear), first)
    same_of(context, ~w(jobs ssh ID), first)
    same_of(context, ~w(jobs stats ID --json), first)
    same_of(context, ~w(jobs stats ID --json --follow), first)
    same_of(context, ~w(jobs logs ID), first)
    same_of(context, ~w(jobs wait ID --json), first)
    same_of(context, ~w(jobs inspect me/ID --json), first)
    same_of(context, ~w(jobs inspect acme/ID --namespace me), first)
    same_of(context, ~w(jobs inspect a/b/ID), first)
    same_of(context, ~w(jobs cancel me/ID --json), first)
    same(context, ~w(jobs stats))
    same(context, ~w(jobs ps --status completed,running --label team=nlp --quiet))
    same(context, ~w(jobs ps --label team))
    same(context, ~w(jobs ps --all --status running))

    {theirs, ours} =
      on_both(context, fn at ->
        {:ok, jobs} = Jobs.list(at)
        Enum.sort(for job <- jobs, do: {job.labels, job.flavor, job.timeout, job.retry, job.environment})
      end)

    assert ours == theirs
  end

  test "a dry run prints the job, and submits nothing", context do
    both(context, &write_files(&1, %{"hello.py" => "print('hi')"}))

    flags =
      ~w(-e A=1 -s HF_HUB_NOT_SET -s B=secret --label a=b --flavor t4-small --timeout 5m --attempts 2 --expose 80) ++
        ~w(--expose-public 81 -v hf://me/m:/data --namespace me --dry-run)

    network = ~w(--ssh --network-group g --network-alias one --network-alias two)
    same(context, ["jobs", "run"] ++ flags ++ network ++ ["alpine", "echo", "a b", "it's"])
    same(context, ["jobs", "scheduled", "run"] ++ flags ++ ["--suspend", "@daily", "alpine", "true"])
    same(context, ["jobs", "uv", "run"] ++ flags ++ ~w(--with trl --python 3.12 hello.py --epochs 3))
    same(context, ["jobs", "scheduled", "uv", "run"] ++ flags ++ ~w(@daily hello.py))
    same(context, ~w(jobs run --dry-run --json alpine true), stdout: false)
    assert {[], []} == on_both(context, &Jobs.list!/1)
  end

  test "scripts with uv", context do
    both(context, &write_files(&1, %{"hello.py" => "print('hi')"}))
    same(context, ~w(jobs uv run --detach --json hello.py))
    same(context, ~w(jobs uv run --detach --json --name n --with trl https://example.com/a.py --epochs 3))
    same(context, ~w(jobs uv run --detach none.py))
    same(context, ~w(jobs scheduled uv run @daily hello.py --json --suspend), stdout: false)

    {theirs, ours} =
      on_both(context, fn at -> Enum.sort(for job <- Jobs.list!(at), do: {job.labels, job.command}) end)

    assert ours == theirs
  end

  test "scheduled jobs", context do
    same(context, ~w(jobs scheduled run --json --name daily --label team=nlp @daily alpine echo hi))
    same(context, ~w(jobs scheduled run --quiet --suspend @hourly alpine true))
    same(context, ~w(jobs scheduled run nonsense alpine true))
    same(context, ~w(jobs scheduled ls --json))
    same(context, ~w(jobs scheduled ls --no-truncate))
    same(context, ~w(jobs scheduled ls --all --quiet))
    same(context, ~w(jobs scheduled ls --status suspended --json))
    same(context, ~w(jobs scheduled ls --status none))
    same(context, ~w(jobs scheduled ls --all --status active))
    same(context, ~w(jobs scheduled ls --name daily --label team=nlp --quiet))
    same(context, ~w(jobs scheduled ls --name daily --label name=x))
    ids = ids(context, &ScheduledJobs.list!([labels: %{"team" => "nlp"}] ++ &1))

    for args <- [
          ~w(inspect ID --json),
          ~w(labels ID --name hourly --json),
          ~w(inspect ID --json),
          ~w(labels ID),
          ~w(suspend ID --json),
          ~w(resume ID --json),
          ["reschedule", "ID", "0 9 * * 1", "--json"],
          ~w(reschedule ID nonsense),
          ~w(trigger ID --json),
          ~w(suspend me/ID --json),
          ~w(delete ID --json),
          ~w(delete ID)
        ],
        do: same_of(context, ["jobs", "scheduled" | args], ids)
  end

  # Our side needs the addresses of the services, which are constants in `hf`.
  defp endpoints(context, args) do
    address =
      if hd(args) == "catalog",
        do: ["--inference-catalog-url", context.hubs.ours <> "/api/v1/catalog"],
        else: ["--inference-endpoints-url", context.hubs.ours <> "/v2"]

    same(context, ["endpoints" | args], ours: ["endpoints" | args] ++ address)
  end

  test "endpoints", context do
    place = ~w(--accelerator cpu --instance-size x2 --instance-type intel-icl --region us-east-1 --vendor aws)
    deploy = ~w(deploy bert --repo me/bert --framework pytorch) ++ place

    for args <- [
          deploy ++ ["--json"],
          deploy,
          ~w(ls --json),
          ~w(ls --quiet),
          ~w(describe bert --json),
          ~w(update bert --max-replica 3 --json),
          ["update", "bert", "--container-args", "--tp 8 --name 'a b'", "--json"],
          ~w(update bert --engine vllm),
          ["update", "bert", "--container-args", "'a"],
          ~w(pause bert --json),
          ~w(resume bert --json),
          ~w(scale-to-zero bert --json),
          ~w(delete bert),
          ~w(delete bert --yes --json),
          ~w(hardware --json),
          ~w(hardware --accelerator gpu --no-truncate),
          ~w(hardware --vendor AWS --accelerator GPU --quiet),
          ~w(hardware --all --vendor none --json)
        ],
        do: endpoints(context, args)

    image = ~w(--custom-image vllm/vllm-openai:v0.23.0 --engine vllm --port 8000 --tensor-parallel-size 2)
    custom = ~w(deploy llm --repo me/llm --framework custom) ++ place
    endpoints(context, custom ++ image ++ ["--json"])
    endpoints(context, custom ++ ~w(--port 8000))
    endpoints(context, custom ++ ~w(--custom-image me/x --tensor-parallel-size 2))
    endpoints(context, custom ++ ~w(--custom-image me/x --container-registry-password p))
    endpoints(context, ~w(update llm --data-parallel-size 2 --json))
    endpoints(context, ~w(describe llm --json))
  end

  test "the catalog of endpoints", context do
    for side <- [:theirs, :ours] do
      folder = Path.join(context.dir, "tiny_#{side}")
      write_files(folder, %{"README.md" => "---\npipeline_tag: text-generation\nlicense: mit\n---\n"})
      LocalHub.import_folder!(context.locals[side], folder, "acme/tiny")
    end

    for args <- [
          ~w(catalog ls --json),
          ~w(catalog ls --no-truncate),
          ~w(catalog ls --quiet --engine vllm),
          ~w(catalog ls --json --accelerator none),
          ~w(catalog deploy --repo acme/tiny --name two --json),
          ~w(catalog deploy --repo acme/tiny --recipe x),
          ~w(catalog deploy)
        ],
        do: endpoints(context, args)
  end
end
