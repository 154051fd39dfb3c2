defmodule HfHub.Parity.InferenceEndpointsHubTest do
  # The Python client at the compute side of a Local Hub: inference endpoints and scheduled jobs.
  use HfHub.Case, async: true

  alias HfHub.{InferenceEndpoints, LocalHub, Python}

  @moduletag :python
  @moduletag timeout: 180_000

  setup context do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"), jobs: :local, endpoint_start: 1)
    LocalHub.command!(hub, ["user", "add", "me", "--org", "acme", "--token", "hf_me"])
    {:ok, local: hub, endpoint: LocalHub.endpoint(hub)}
  end

  defp python(context, code) do
    # The addresses are constants.
    prelude = """
    from huggingface_hub import constants
    constants.INFERENCE_ENDPOINTS_ENDPOINT = constants.ENDPOINT + "/v2"
    constants.INFERENCE_CATALOG_ENDPOINT = constants.ENDPOINT + "/api/v1/catalog"
    warnings.simplefilter("ignore")
    api = HfApi()
    """

    # Endpoints use the saved token, not that of the client that returned them.
    Python.run!(prelude <> code, context.endpoint, context.cache, [{"HF_TOKEN", "hf_me"}])
  end

  test "the Python client creates, waits for, changes and deletes endpoints", context do
    card = "---\npipeline_tag: text-generation\nlicense: mit\n---\n"
    LocalHub.import_folder!(context.local, folder(context, %{"README.md" => card}), "acme/tiny")

    output =
      python(context, """
      e = api.create_inference_endpoint("my-bert", repository="acme/bert", framework="pytorch", accelerator="cpu",
          instance_size="x2", instance_type="intel-icl", region="us-east-1", vendor="aws", secrets={"K": "hunter2"})
      print(e.status, e.url)
      e.wait(timeout=30, refresh_every=1)
      print(e.status, e.type, "hunter2" in str(e.raw))
      print(e.pause().status, e.url, e.resume().status, e.scale_to_zero().status)
      print(e.update(max_replica=3).raw["compute"]["scaling"]["maxReplica"])
      print([x.name for x in api.list_inference_endpoints(namespace="*")])
      print({h.instance_type for h in api.list_inference_endpoints_hardware()} >= {"intel-icl", "nvidia-l4"})
      [model] = api.list_inference_catalog()
      print(model.repo_id, model.license, [r.engine for r in model.recipes])
      print(api.create_inference_endpoint_from_catalog(repo_id="acme/tiny", name="two").repository)
      print(api.create_inference_endpoint_from_catalog(recipe_id=model.recipes[0].id, namespace="acme").namespace)
      e.delete()
      try:
          e.fetch()
      except Exception as error:
          print(error.response.status_code)
      """)

    assert String.split(output, "\n") == [
             "pending None",
             "running authenticated False",
             "paused None pending scaledToZero",
             "3",
             "['my-bert']",
             "True",
             "acme/tiny mit ['vllm']",
             "acme/tiny",
             "acme",
             "404"
           ]

    ours = [endpoint: context.endpoint, inference_endpoints_url: context.endpoint <> "/v2", token: "hf_me"]
    assert [%{name: "two"}, _of_acme] = InferenceEndpoints.list!([namespace: :all] ++ ours)
  end

  test "the Python client schedules, triggers, suspends and deletes jobs", context do
    output =
      python(context, """
      s = api.create_scheduled_job(image="alpine", command=["echo", "hello"], schedule="@hourly", labels={"a": "b"},
          secrets={"S": "hunter2"})
      print(s.schedule, s.suspend, s.concurrency, s.status.last_job, s.status.next_job_run_at.minute, s.owner.name)
      job = api.trigger_scheduled_job(scheduled_job_id=s.id)
      print(api.wait_for_job(job_id=job.id, poll_interval=0.05).status.stage, job.initiator.type == "scheduled-job")
      print(list(api.fetch_job_logs(job_id=job.id)))
      api.suspend_scheduled_job(scheduled_job_id=s.id)
      s2 = api.inspect_scheduled_job(scheduled_job_id=s.id)
      print(s2.suspend, s2.status.last_job.id == job.id, s2.status.next_job_run_at, s2.job_spec.command)
      api.resume_scheduled_job(scheduled_job_id=s.id)
      print(api.update_scheduled_job_schedule(scheduled_job_id=s.id, schedule="0 9 * * 1").status.next_job_run_at.hour)
      print(api.update_scheduled_job_labels(scheduled_job_id=s.id, labels={"c": "d"}).job_spec.labels)
      print([x.id == s.id for x in api.list_scheduled_jobs()])
      api.delete_scheduled_job(scheduled_job_id=s.id)
      print(list(api.list_scheduled_jobs()))
      """)

    assert String.split(output, "\n") == [
             "@hourly False False None 0 me",
             "COMPLETED True",
             "['hello']",
             "True True None ['echo', 'hello']",
             "9",
             "{'c': 'd'}",
             "[True]",
             "[]"
           ]
  end
end
