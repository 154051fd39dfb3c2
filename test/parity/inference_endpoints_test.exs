defmodule HfHub.Parity.InferenceEndpointsTest do
  # The Local Hub has no Inference Endpoints, so it gets the responses of the service for each test.
  use HfHub.TwoHubs

  alias HfHub.InferenceEndpoints
  alias HfHub.InferenceEndpoints.{CatalogModel, CatalogRecipe, Hardware}

  @constants """
  from huggingface_hub import constants, errors
  warnings.simplefilter("ignore")
  constants.INFERENCE_ENDPOINTS_ENDPOINT = api.endpoint + "/v2"
  constants.INFERENCE_CATALOG_ENDPOINT = api.endpoint + "/catalog"
  def show(e):
      print(e.name, e.namespace, e.repository, e.status, e.url, e.health_route, e.framework, e.revision, e.task,
            e.created_at.isoformat(), e.updated_at.isoformat(), e.type, sep="|")
  """

  setup context do
    urls = [inference_endpoints_url: context.hubs.ours <> "/v2"]

    {:ok,
     ours: urls ++ context.ours,
     catalog: [inference_catalog_url: context.hubs.ours <> "/catalog"] ++ context.ours}
  end

  defp json(name, more \\ %{}) do
    status = %{
      "state" => "running",
      "message" => "ok",
      "url" => "http://endpoint.test",
      "createdAt" => "2026-01-02T03:04:05.678Z",
      "updatedAt" => "2026-01-03T00:00:00.000Z",
      "readyReplica" => 1,
      "targetReplica" => 2,
      "private" => %{"serviceName" => nil}
    }

    model = %{
      "repository" => "acme/m",
      "framework" => "pytorch",
      "revision" => nil,
      "task" => "fill-mask",
      "image" => %{"huggingface" => %{}}
    }

    Map.merge(
      %{
        "name" => name,
        "type" => "authenticated",
        "accountId" => nil,
        "healthRoute" => "/health",
        "provider" => %{"vendor" => "aws", "region" => "us-east-1"},
        "compute" => %{
          "accelerator" => "cpu",
          "instanceSize" => "x1",
          "instanceType" => "intel-icl",
          "scaling" => %{"minReplica" => 0, "maxReplica" => 2, "scaleToZeroTimeout" => 15}
        },
        "model" => model,
        "status" => status
      },
      more
    )
  end

  defp show(endpoint) do
    model = endpoint.model

    fields = [
      endpoint.name,
      endpoint.namespace,
      model.repository,
      text(endpoint.status),
      endpoint.url,
      endpoint.health_route,
      model.framework,
      model.revision,
      model.task,
      time(endpoint.created_at),
      time(endpoint.updated_at),
      text(endpoint.type)
    ]

    Enum.map_join(fields, "|", &(&1 || "None"))
  end

  defp text(:scaled_to_zero), do: "scaledToZero"
  defp text(:update_failed), do: "updateFailed"
  defp text(other), do: to_string(other)

  defp time(time), do: time |> DateTime.to_iso8601() |> String.replace("Z", "+00:00") |> micro()

  defp micro(text),
    do: text |> String.replace(~r/\.(\d{3})\+/, ".\\g{1}000+") |> String.replace(".000000+", "+")

  @create "accelerator='cpu', instance_size='x1', instance_type='intel-icl', region='us-east-1', vendor='aws', framework='pytorch', repository='acme/m'"
  @required [
    accelerator: "cpu",
    instance_size: "x1",
    instance_type: "intel-icl",
    region: "us-east-1",
    vendor: "aws",
    repository: "acme/m"
  ]

  test "the default base URLs are those of the Python client", context do
    output =
      theirs(context, """
      from huggingface_hub import constants
      print(constants.INFERENCE_ENDPOINTS_ENDPOINT, constants.INFERENCE_CATALOG_ENDPOINT)
      """)

    names = [:inference_endpoints_url, :inference_catalog_url]
    urls = for %{name: name, value: url} <- HfHub.Config.explain().settings, name in names, do: url
    assert Enum.join(urls, " ") == output
  end

  test "creating endpoints sends the same requests and returns the same", %{ours: ours} = context do
    plant(context, "POST", "/v2/endpoint/me", json("e", %{"type" => "of-next-year"}))
    plant(context, "POST", "/v2/endpoint/acme", json("f"))

    output =
      theirs(
        context,
        @constants <>
          """
          show(api.create_inference_endpoint("e", #{@create}))
          show(api.create_inference_endpoint("f", #{@create}, namespace="acme", type="private", min_replica=0, max_replica=3,
              scaling_metric="pendingRequests", scaling_threshold=2.5, scale_to_zero_timeout=15, revision="v1", task="fill-mask",
              custom_image={"url": "img", "port": 80, "healthRoute": "/h"}, container_registry_username="u",
              container_registry_password="pass", container_command=["a"], container_args=["b", "c"], env={"A": "1"},
              secrets={"S": "hush"}, domain="d.test", path="/p", cache_http_responses=False, tags=["t"],
              private_link_account_id="12", private_link_region="eu-west-1"))
          api.create_inference_endpoint("f", #{@create}, namespace="acme", scaling_metric="hardwareUsage", env={}, secrets={},
              custom_image={"vLLM": {"url": "v", "port": 1, "tensorParallelSize": 2}}, path="/p")
          """
      )

    e = InferenceEndpoints.create!("e", @required ++ ours)
    assert {e.type, e.compute.scaling.scale_to_zero_timeout, e.provider.vendor} == {"of-next-year", 15, "aws"}
    assert {e.ready_replica, e.target_replica, e.message} == {1, 2, "ok"}

    f =
      InferenceEndpoints.create!(
        "f",
        @required ++
          [
            namespace: "acme",
            type: :private,
            min_replica: 0,
            max_replica: 3,
            scaling_metric: "pendingRequests",
            scaling_threshold: 2.5,
            scale_to_zero_timeout: 15,
            revision: "v1",
            task: "fill-mask",
            custom_image: %{url: "img", port: 80, healthRoute: "/h"},
            container_registry_username: "u",
            container_registry_password: "pass",
            container_command: ["a"],
            container_args: ["b", "c"],
            env: [A: "1"],
            secrets: %{"S" => "hush"},
            domain: "d.test",
            path: "/p",
            cache_http_responses: false,
            tags: ["t"],
            private_link_account_id: "12",
            private_link_region: "eu-west-1"
          ] ++ ours
      )

    image = %{vLLM: %{url: "v", port: 1, tensorParallelSize: 2}}

    more = [
      namespace: "acme",
      scaling_metric: :hardware_usage,
      env: %{},
      secrets: %{},
      custom_image: image,
      path: "/p"
    ]

    InferenceEndpoints.create!("f", @required ++ more ++ ours)
    assert output == show(e) <> "\n" <> show(f)
    assert_same(context)
  end

  test "listing, reading and removing endpoints sends the same requests", %{ours: ours} = context do
    states = ~w(pending initializing updating updateFailed running paused failed scaledToZero hibernated)

    items =
      for state <- states do
        json(state, %{
          "status" => %{
            "state" => state,
            "createdAt" => "2026-01-02T03:04:05.678Z",
            "updatedAt" => "2026-01-03T00:00:00Z"
          }
        })
      end

    plant(context, "GET", "/v2/endpoint/me", %{"items" => items})
    plant(context, "GET", "/v2/endpoint/acme/e", json("e"))

    for action <- ~w(pause resume scale-to-zero),
        do: plant(context, "POST", "/v2/endpoint/acme/e/#{action}", json("e"))

    plant(context, "POST", "/v2/endpoint/acme/up/resume", %{"error" => "Endpoint is already running"},
      code: 400
    )

    plant(context, "GET", "/v2/endpoint/acme/up", json("up"))
    plant(context, "DELETE", "/v2/endpoint/acme/e", "", code: 204)

    output =
      theirs(
        context,
        @constants <>
          """
          for e in api.list_inference_endpoints():
              show(e)
          show(api.get_inference_endpoint("e", namespace="acme"))
          show(api.pause_inference_endpoint("e", namespace="acme"))
          show(api.resume_inference_endpoint("e", namespace="acme"))
          show(api.resume_inference_endpoint("up", namespace="acme"))
          try:
              api.resume_inference_endpoint("up", namespace="acme", running_ok=False)
          except errors.HfHubHTTPError as e:
              print(e.response.status_code)
          show(api.scale_to_zero_inference_endpoint("e", namespace="acme"))
          api.delete_inference_endpoint("e", namespace="acme")
          """
      )

    list = InferenceEndpoints.list!(ours)

    assert for(%{status: status} <- list, do: status) ==
             [
               :pending,
               :initializing,
               :updating,
               :update_failed,
               :running,
               :paused,
               :failed,
               :scaled_to_zero,
               "hibernated"
             ]

    acme = [namespace: "acme"] ++ ours
    e = InferenceEndpoints.get!("e", acme)
    # The struct has the namespace.
    others = [
      InferenceEndpoints.pause!(e, ours),
      InferenceEndpoints.resume!(e, ours),
      InferenceEndpoints.resume!("up", acme)
    ]

    assert {:error, %{kind: :bad_request, status: 400}} =
             InferenceEndpoints.resume("up", [running_ok: false] ++ acme)

    to_zero = InferenceEndpoints.scale_to_zero!("e", acme)
    assert :ok = InferenceEndpoints.delete("e", acme)
    shown = Enum.map(list ++ [e | others], &show/1) ++ ["400", show(to_zero)]
    assert String.split(output, "\n") == shown
    assert_same(context)
  end

  test "listing all namespaces asks for the account and each of its organizations", %{ours: ours} = context do
    command(context, ["user", "add", "me", "--org", "closed", "--token", "hf_me2"])
    plant(context, "GET", "/v2/endpoint/me", %{"items" => [json("mine")]})
    plant(context, "GET", "/v2/endpoint/acme", %{"items" => [json("ours"), json("other")]})
    plant(context, "GET", "/v2/endpoint/closed", %{"error" => "no billing"}, code: 401)

    # The list of the own endpoints is requested without the token of the object.
    output =
      theirs(
        context,
        @constants <>
          """
          import os
          os.environ["HF_TOKEN"] = "hf_me"
          print(sorted((e.namespace, e.name) for e in api.list_inference_endpoints("*")))
          """
      )

    found = InferenceEndpoints.list!([namespace: :all] ++ ours)
    assert output == "[('acme', 'other'), ('acme', 'ours'), ('me', 'mine')]"

    assert Enum.sort(for e <- found, do: {e.namespace, e.name}) == [
             {"acme", "other"},
             {"acme", "ours"},
             {"me", "mine"}
           ]

    # Python requests the account twice.
    assert asked(context.hubs.ours) == context.hubs.theirs |> asked() |> Enum.uniq()

    plant(context, "GET", "/v2/endpoint/broken", %{"error" => "it failed"}, code: 500)
    command(context, ["user", "add", "me", "--org", "broken", "--token", "hf_me3"])
    assert {:error, %{kind: :server}} = InferenceEndpoints.list([namespace: "*", retries: 0] ++ ours)
  end

  test "updating endpoints sends the same requests", %{ours: ours} = context do
    plant(context, "PUT", "/v2/endpoint/me/e", json("e"))

    plant(
      context,
      "GET",
      "/v2/endpoint/me/e",
      json("e", %{"model" => %{"image" => %{"vLLM" => %{"url" => "v", "port" => 1}}}})
    )

    output =
      theirs(
        context,
        @constants <>
          """
          show(api.update_inference_endpoint("e", accelerator="gpu", instance_size="x2", instance_type="t", min_replica=1,
              max_replica=4, scale_to_zero_timeout=5, scaling_metric="hardwareUsage", scaling_threshold=80, repository="acme/n",
              framework="custom", revision="r", task="t", custom_image={"url": "u"}, container_command=["c"], container_args=["a"],
              env={}, secrets={"S": "hush"}, domain="d", path="/p", cache_http_responses=True, tags=[]))
          api.update_inference_endpoint("e", min_replica=2)
          api.update_inference_endpoint("e", custom_image={"vLLM": {"url": "x"}}, tensor_parallel_size=2, data_parallel_size=3)
          """
      )

    updated =
      InferenceEndpoints.update!(
        "e",
        [
          accelerator: "gpu",
          instance_size: "x2",
          instance_type: "t",
          min_replica: 1,
          max_replica: 4,
          scale_to_zero_timeout: 5,
          scaling_metric: :hardware_usage,
          scaling_threshold: 80,
          repository: "acme/n",
          framework: "custom",
          revision: "r",
          task: "t",
          custom_image: %{url: "u"},
          container_command: ["c"],
          container_args: ["a"],
          env: %{},
          secrets: %{"S" => "hush"},
          domain: "d",
          path: "/p",
          cache_http_responses: true,
          tags: []
        ] ++ ours
      )

    assert output == show(updated)
    InferenceEndpoints.update!("e", [min_replica: 2] ++ ours)
    sizes = [custom_image: %{vLLM: %{url: "x"}}, tensor_parallel_size: 2, data_parallel_size: 3]
    InferenceEndpoints.update!("e", sizes ++ ours)
    assert_same(context)
  end

  test "the parallelism is set in the current image", %{ours: ours} = context do
    current = %{"repository" => "acme/m", "framework" => "f", "revision" => nil, "task" => "t"}
    image = %{"vLLM" => %{"url" => "v", "port" => 1}}
    plant(context, "PUT", "/v2/endpoint/acme/e", json("e"))
    plant(context, "GET", "/v2/endpoint/acme/e", json("e", %{"model" => Map.put(current, "image", image)}))
    locked = %{"vLLM" => %{"url" => "v", "credentials" => %{"username" => "u"}}}

    plant(
      context,
      "GET",
      "/v2/endpoint/acme/locked",
      json("locked", %{"model" => Map.put(current, "image", locked)})
    )

    output =
      theirs(
        context,
        @constants <>
          """
          api.update_inference_endpoint("e", namespace="acme", tensor_parallel_size=2)
          try:
              api.update_inference_endpoint("locked", namespace="acme", tensor_parallel_size=2)
          except ValueError as e:
              print("credentials" in str(e))
          """
      )

    options = [namespace: "acme", tensor_parallel_size: 2] ++ ours
    assert {:ok, _endpoint} = InferenceEndpoints.update("e", options)
    assert output == "True"
    assert {:error, %{kind: :precondition, message: message}} = InferenceEndpoints.update("locked", options)
    assert message =~ "pass the whole image as :custom_image"
    assert_same(context)
  end

  test "hardware and catalog send the same requests and return the same",
       %{ours: ours, catalog: catalog} = context do
    compute = %{
      "id" => "aws-us-east-1-nvidia-l4-x1",
      "accelerator" => "gpu",
      "instanceType" => "nvidia-l4",
      "instanceSize" => "x1",
      "architecture" => "Nvidia L4",
      "numAccelerators" => 1,
      "numCpus" => 7,
      "memoryGb" => 30.5,
      "gpuMemoryGb" => 24,
      "pricePerHour" => 0.8,
      "status" => "low_availability",
      "quota" => %{"maxAccelerators" => 4, "usedAccelerators" => 1}
    }

    plain =
      compute |> Map.drop(["numCpus", "gpuMemoryGb"]) |> Map.merge(%{"id" => "cpu", "status" => "burning"})

    region = %{"name" => "us-east-1", "computes" => [compute, plain]}
    vendors = [%{"name" => "aws", "regions" => [region, %{"name" => "empty", "computes" => []}]}]
    plant(context, "GET", "/v2/provider/me", %{"vendors" => vendors})

    recipes = [
      %{"publicId" => "r1", "accelerator" => "gpu", "engineType" => "vllm"},
      %{
        "publicId" => "r2",
        "accelerator" => "cpu",
        "engineType" => "llamacpp",
        "ggufFile" => "m.gguf",
        "revision" => "v"
      }
    ]

    item = %{
      "repoId" => "acme/m",
      "modelName" => "m",
      "authorName" => "acme",
      "license" => "MIT",
      "task" => "text-generation",
      "createdAt" => "2026-01-02T03:04:05.678Z",
      "recipes" => recipes
    }

    plant(context, "GET", "/catalog/list", %{"items" => [item]})
    plant(context, "POST", "/catalog/recipe/r1/deploy", %{"endpoint" => json("from-recipe")})
    plant(context, "POST", "/catalog/model/acme/m/deploy", %{"endpoint" => json("from-model")})

    output =
      theirs(
        context,
        @constants <>
          """
          for h in api.list_inference_endpoints_hardware():
              print(h.id, h.vendor, h.region, h.accelerator, h.instance_type, h.instance_size, h.architecture,
                    h.num_accelerators, h.num_cpus, h.memory_gb, h.gpu_memory_gb, h.price_per_hour, h.status,
                    h.max_accelerators, h.used_accelerators, sep="|")
          for m in api.list_inference_catalog(accelerator="gpu", engine="vllm", license="mit", task="t", search="a b", limit=3):
              print(m.repo_id, m.name, m.author, m.license, m.task, m.created_at.isoformat(), sep="|")
              for r in m.recipes:
                  print(r.id, r.accelerator, r.engine, r.gguf_file, r.revision, sep="|")
          api.list_inference_catalog()
          show(api.create_inference_endpoint_from_catalog(recipe_id="r1", name="n"))
          show(api.create_inference_endpoint_from_catalog("acme/m", accelerator="gpu", gguf_file="m.gguf", namespace="acme"))
          """
      )

    hardware = InferenceEndpoints.list_hardware!(ours)
    assert [%{status: :low_availability, price_per_hour: 0.8}, %{status: "burning", num_cpus: nil}] = hardware
    options = [accelerator: "gpu", engine: "vllm", license: "mit", task: "t", search: "a b", limit: 3]
    [model] = InferenceEndpoints.list_catalog!(options ++ catalog)
    InferenceEndpoints.list_catalog!(catalog)
    from_recipe = InferenceEndpoints.create_from_catalog!([recipe_id: "r1", name: "n"] ++ catalog)
    options = [repo_id: "acme/m", accelerator: "gpu", gguf_file: "m.gguf", namespace: "acme"]
    from_model = InferenceEndpoints.create_from_catalog!(options ++ catalog)

    shown =
      Enum.map(hardware, &fields(&1, Hardware)) ++
        [model |> Map.put(:created_at, time(model.created_at)) |> fields(CatalogModel, [:recipes])] ++
        Enum.map(model.recipes, &fields(&1, CatalogRecipe)) ++ [show(from_recipe), show(from_model)]

    assert String.split(output, "\n") == shown
    assert_same(context)
  end

  defp fields(struct, module, without \\ []) do
    names = for {name, _from, _type, _doc, _opts} <- module.__fields__(), name not in without, do: name
    Enum.map_join(names, "|", fn name -> text_of(Map.fetch!(struct, name)) end)
  end

  defp text_of(nil), do: "None"
  defp text_of(other), do: to_string(other)

  test "waiting requests the endpoint and its health until both are ready", %{ours: ours} = context do
    state = fn state, url ->
      json("e", %{
        "healthRoute" => "/alive",
        "status" => %{
          "state" => state,
          "url" => url,
          "createdAt" => "2026-01-02T03:04:05.678Z",
          "updatedAt" => "2026-01-03T00:00:00.000Z"
        }
      })
    end

    states = [{"pending", nil}, {"starting-soon", nil}, {"running", nil}]

    for {{name, url}, index} <- Enum.with_index(states),
        do: plant(context, "GET", "/v2/endpoint/me/e", state.(name, url), skip: index, times: 1)

    # Each client has an endpoint at its own Hub.
    for {_name, hub} <- context.hubs do
      one = %{context | hubs: %{hub: hub}}
      plant(one, "GET", "/v2/endpoint/me/e", state.("running", hub <> "/served/"), skip: 3)
      plant(one, "GET", "/served/alive", "starting", code: 503, times: 1)
      plant(one, "GET", "/served/alive", "alive", type: "text/plain", skip: 1)
    end

    output =
      theirs(
        context,
        @constants <>
          """
          e = api.get_inference_endpoint("e", namespace="me")
          print(e.wait(refresh_every=0.01).status)
          """
      )

    me = self()
    options = [namespace: "me", poll_interval: 10, on_wait: &send(me, {:waits, &1.status}), timeout: 60_000]
    assert {:ok, %{status: :running}} = InferenceEndpoints.wait_until_running("e", options ++ ours)
    assert output == "running"
    for status <- [:pending, "starting-soon", :running, :running], do: assert_received({:waits, ^status})
    assert_same(context)
  end
end
