defmodule HfHub.Flows.InferenceEndpointsTest do
  # Inference endpoints of a Local Hub.
  use HfHub.Case, async: true

  alias HfHub.{Error, InferenceEndpoints, LocalHub}

  @create [
    repository: "acme/bert",
    framework: "pytorch",
    accelerator: "cpu",
    instance_size: "x2",
    instance_type: "intel-icl",
    region: "us-east-1",
    vendor: "aws"
  ]

  defp start(context, opts) do
    {:ok, hub} = LocalHub.start_link([root: Path.join(context.dir, "hub"), test_control: true] ++ opts)
    LocalHub.command!(hub, ["user", "add", "ann", "--org", "acme", "--token", "hf_ann"])
    url = LocalHub.endpoint(hub)

    ours = [
      endpoint: url,
      inference_endpoints_url: url <> "/v2",
      inference_catalog_url: url <> "/api/v1/catalog",
      token: "hf_ann",
      retry_delay: 10
    ]

    {hub, Keyword.delete(ours, :inference_catalog_url), Keyword.delete(ours, :inference_endpoints_url)}
  end

  test "an endpoint starts, is paused, resumed, scaled to zero, updated and deleted", context do
    {hub, ours, _catalog} = start(context, endpoint_start: 100)
    wait = [poll_interval: 10, timeout: 30_000] ++ ours
    forward = fn seconds -> control(:post, "clock", %{seconds: seconds}, LocalHub.endpoint(hub)) end

    endpoint = InferenceEndpoints.create!("my-bert", [secrets: %{"KEY" => "hunter2"}] ++ @create ++ ours)
    assert %{status: :pending, url: nil, namespace: "ann", type: type} = endpoint
    assert type in [:authenticated, :protected]
    refute inspect(endpoint.raw) =~ "hunter2"
    forward.(101)

    assert {:ok, %{status: :running, ready_replica: 1} = running} =
             InferenceEndpoints.wait_until_running(endpoint, wait)

    assert {:ok, _client} = InferenceEndpoints.client(running)
    assert %{status: :running} = InferenceEndpoints.resume!(endpoint, ours)

    assert {:error, %Error{kind: :bad_request}} =
             InferenceEndpoints.resume(endpoint, [running_ok: false] ++ ours)

    assert %{status: :paused, url: nil} = InferenceEndpoints.pause!(endpoint, ours)
    assert {:error, %Error{kind: :precondition}} = InferenceEndpoints.wait_until_running(endpoint, wait)
    assert %{status: :pending} = InferenceEndpoints.resume!(endpoint, ours)
    forward.(101)
    assert %{status: :scaled_to_zero} = InferenceEndpoints.scale_to_zero!(endpoint, ours)
    assert %{status: :scaled_to_zero} = InferenceEndpoints.update!(endpoint, [max_replica: 3] ++ ours)
    assert %{status: :pending} = InferenceEndpoints.resume!(endpoint, ours)
    forward.(101)
    updated = InferenceEndpoints.update!(endpoint, [task: "fill-mask", tags: ["a"]] ++ ours)
    assert %{status: :updating, tags: ["a"], model: %{task: "fill-mask", framework: "pytorch"}} = updated
    assert updated.compute.scaling.max_replica == 3
    forward.(101)
    assert %{status: :running} = InferenceEndpoints.get!("my-bert", ours)

    LocalHub.command!(hub, ["endpoint", "state", "ann/my-bert", "failed"])
    assert {:error, %Error{message: message}} = InferenceEndpoints.wait_until_running(endpoint, wait)
    assert message =~ "failed"
    assert [%{name: "my-bert"}] = InferenceEndpoints.list!([namespace: :all] ++ ours)
    assert :ok = InferenceEndpoints.delete(endpoint, ours)
    assert [] = InferenceEndpoints.list!(ours)
  end

  test "a server behind the endpoints, hardware, and the catalog", context do
    {hub, ours, catalog} = start(context, endpoint_url: "http://127.0.0.1:9")
    endpoint = InferenceEndpoints.create!("my-bert", [namespace: "acme"] ++ @create ++ ours)
    assert %{status: :running, url: "http://127.0.0.1:9", namespace: "acme"} = endpoint

    assert %{used_accelerators: 2} =
             Enum.find(
               InferenceEndpoints.list_hardware!([namespace: "acme"] ++ ours),
               &(&1.instance_size == "x2")
             )

    card = "---\npipeline_tag: sentence-similarity\n---\n"
    LocalHub.import_folder!(hub, folder(context, %{"README.md" => card}), "acme/MiniLM")

    assert [%{repo_id: "acme/MiniLM", recipes: [%{engine: "tei"} = recipe]}] =
             InferenceEndpoints.list_catalog!(catalog)

    assert [] = InferenceEndpoints.list_catalog!([task: "fill-mask"] ++ catalog)
    made = InferenceEndpoints.create_from_catalog!([repo_id: "acme/MiniLM"] ++ catalog)
    assert %{namespace: "ann", model: %{repository: "acme/MiniLM"}} = made

    assert %{name: "two"} =
             InferenceEndpoints.create_from_catalog!([recipe_id: recipe.id, name: "two"] ++ catalog)
  end
end
