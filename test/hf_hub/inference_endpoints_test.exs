defmodule HfHub.InferenceEndpointsTest do
  # What the service's responses lead to. The Local Hub has no Inference Endpoints, so it gets the responses for each test;
  # test/parity compares the requests with the Python client.
  use HfHub.Case, async: true

  import ExUnit.CaptureLog

  alias HfHub.{Config, Error, InferenceEndpoints}
  alias HfHub.InferenceEndpoints.{ComputeConfig, Endpoint, ModelConfig, ProviderConfig, ScalingConfig}

  doctest ComputeConfig
  doctest Endpoint
  doctest ModelConfig
  doctest ProviderConfig
  doctest ScalingConfig

  @required [
    repository: "acme/m",
    accelerator: "cpu",
    instance_size: "x1",
    instance_type: "t",
    region: "r",
    vendor: "aws"
  ]

  # A base URL of the test's own.
  setup context do
    base = "/ie-#{System.unique_integer([:positive])}-#{System.pid()}"
    ours = write(inference_endpoints_url: context.endpoint <> base, namespace: "acme", retries: 0)
    {:ok, base: base, ours: ours}
  end

  defp plant(context, path, code, body, more \\ %{}) do
    headers = %{"content-type" => "application/json"}
    fault("{#{context.base}#{path}}", %{kind: "status", code: code, headers: headers, body: body}, more)
  end

  defp state(name, more \\ "") do
    ~s({"name":"e","status":{"state":"#{name}"#{more}}})
  end

  test "bad options are errors before a request, which show the allowed values", %{ours: ours} do
    create = fn more -> InferenceEndpoints.create("e", Keyword.merge(@required, more) ++ ours) end

    for {fun, message} <- [
          {fn -> InferenceEndpoints.create("e", ours) end, ~r/option :repository is required/},
          {fn -> create.(type: :secret) end, ~r/one of `:public`, `:authenticated`, `:private`/},
          {fn -> create.(min_replica: 3) end,
           ~r/:min_replica is 3, which is more than the :max_replica of 1/},
          {fn -> create.(scaling_metric: :cpu) end, ~r/one of `:pending_requests`, `:hardware_usage`/},
          {fn -> create.(scaling_threshold: 1) end, ~r/:scaling_threshold requires :scaling_metric/},
          {fn -> create.(container_registry_username: "u") end, ~r/requires :custom_image/},
          {fn -> create.(container_registry_password: "p") end, ~r/requires :container_registry_username/},
          {fn -> create.(custom_image: %{tgi: %{}}, container_registry_username: "u") end, ~r/with a :url/},
          {fn -> create.(private_link_account_id: "1") end, ~r/requires :private_link_region.*"eu-west-1"/},
          {fn -> create.(private_link_region: "eu-west-1") end, ~r/requires :private_link_account_id/},
          {fn -> create.(custom_image: %{a: %{}, b: %{}}) end, ~r/one engine to its settings.*\["a", "b"\]/},
          {fn -> create.(custom_image: %{"vLLM" => "image"}) end, ~r/one engine to its settings/},
          {fn -> InferenceEndpoints.update("e", ours) end, ~r/requires at least one of \[:accelerator/},
          {fn -> InferenceEndpoints.update("e", [min_replica: 2, max_replica: 1] ++ ours) end, ~r/is 2/},
          {fn -> InferenceEndpoints.create_from_catalog([]) end, ~r/exactly one of :repo_id and :recipe_id/},
          {fn -> InferenceEndpoints.create_from_catalog(repo_id: "a/b", recipe_id: "r") end, ~r/exactly one/},
          {fn -> InferenceEndpoints.create_from_catalog(recipe_id: "r", gguf_file: "f") end, ~r/:recipe_id/}
        ] do
      assert_raise ArgumentError, message, fun
    end

    assert {:error, %Error{kind: :invalid_name}} =
             InferenceEndpoints.create_from_catalog(repo_id: "datasets/a/b/c")

    assert {:error, %Error{kind: :invalid_name}} =
             InferenceEndpoints.create_from_catalog(repo_id: "a/b@v1", token: false)
  end

  test "hardware and vendors are strings or atoms, as in hf_hub 0.3", %{ours: ours} = context do
    plant(context, "/endpoint/acme", 200, state("pending"), %{method: "POST"})
    atoms = [accelerator: :gpu, instance_size: :x1, vendor: :aws, type: :protected]
    assert {:ok, %Endpoint{}} = InferenceEndpoints.create("e", Keyword.merge(@required, atoms) ++ ours)

    plant(context, "/endpoint/acme/e", 200, state("updating"), %{method: "PUT"})
    assert {:ok, %Endpoint{}} = InferenceEndpoints.update("e", [instance_size: :x2, max_replica: 4] ++ ours)

    assert [created, updated] = for(%{"body" => body} <- requests(context.base), do: body)
    assert %{"compute" => %{"accelerator" => "gpu", "instanceSize" => "x1"}} = created
    assert %{"provider" => %{"vendor" => "aws"}, "type" => "authenticated"} = created
    assert %{"compute" => %{"instanceSize" => "x2"}} = updated
  end

  test "names that would change the route are errors before a request", %{ours: ours} = context do
    for name <- ["", ".", ".."] do
      assert {:error, %Error{kind: :invalid_name, message: message}} = InferenceEndpoints.delete(name, ours)
      assert message =~ "invalid name #{inspect(name)}"
      options = Keyword.put(ours, :namespace, name)
      assert {:error, %Error{kind: :invalid_name}} = InferenceEndpoints.delete("e", options)
    end

    assert {:error, %Error{kind: :not_found, message: message}} = InferenceEndpoints.delete("../x", ours)
    assert message =~ ~s(the endpoint "../x" of "acme" was not found; check both)
    assert [%{"path" => path}] = requests(context.base)
    assert path =~ ~r"/endpoint/acme/\.\.(%2F|/)x$"
  end

  test "secrets are in no error, log or inspection", %{ours: ours} = context do
    body = ~s({"error":"bad: hush-hush and swordfish and pass-word"})
    plant(context, "/endpoint/acme", 400, body)
    plant(context, "/endpoint/acme/e", 400, body)
    secrets = [secrets: %{"S" => "hush-hush"}]
    credentials = %{username: "u", password: "pass-word"}
    image = [custom_image: %{url: "u", credentials: credentials}]

    options =
      @required ++
        secrets ++
        [custom_image: %{url: "u"}, container_registry_username: "u"] ++
        [container_registry_password: "swordfish"] ++ ours

    log =
      capture_log(fn ->
        {:error, created} = InferenceEndpoints.create("e", options)
        {:error, updated} = InferenceEndpoints.update("e", secrets ++ image ++ ours)
        shown = inspect([created, updated])
        for secret <- ["hush-hush", "swordfish"], do: refute(inspect(created) =~ secret)
        for secret <- ["hush-hush", "pass-word"], do: refute(inspect(updated) =~ secret)
        assert shown =~ "bad: "
      end)

    refute log =~ "hush-hush"

    for {name, value} <- [
          secrets: %{"S" => :"hush-hush"},
          env: %{1 => "hush-hush"},
          custom_image: [url: "hush-hush"]
        ] do
      raised = assert_raise ArgumentError, fn -> InferenceEndpoints.update("e", [{name, value} | ours]) end
      refute raised.message =~ "hush-hush"
    end

    json =
      ~s({"name":"e","model":{"secrets":{"S":"hush-hush"},"env":{"A":"hush-hush"},"image":) <>
        ~s({"custom":{"url":"u","credentials":{"username":"u","password":"hush-hush"}}}}})

    plant(context, "/endpoint/acme/f", 200, json)
    endpoint = InferenceEndpoints.get!("f", ours)
    refute inspect(endpoint) =~ "hush-hush"
    refute inspect(endpoint.model) =~ "hush-hush"
    assert endpoint.model.image == %{"custom" => %{"url" => "u", "credentials" => %{"username" => "u"}}}
    assert :secrets not in HfHub.Schema.Json.names(ModelConfig.__fields__())
  end

  test "the token is sent to the API, and errors name the Hub's page for tokens", %{ours: ours} = context do
    plant(context, "/endpoint/acme/e", 401, ~s({"error":"Unauthorized"}))
    assert {:error, %Error{kind: :unauthorized} = error} = InferenceEndpoints.get("e", ours)
    assert error.message =~ "at #{context.endpoint}/settings/tokens"
    refute error.message =~ context.base
    assert {:error, waited} = InferenceEndpoints.wait_until_running("e", ours)
    assert waited.message == error.message

    headers = %{"content-type" => "text/html"}

    fault("{#{context.base}/endpoint/acme/page}", %{
      kind: "status",
      code: 200,
      headers: headers,
      body: "<html>"
    })

    assert {:error, %Error{kind: :invalid_response} = error} = InferenceEndpoints.get("page", ours)
    assert error.message =~ "got a web page; check :inference_endpoints_url and :inference_catalog_url"

    # Over plain http, the token is sent to no other machine.
    options = Keyword.merge(ours, inference_endpoints_url: "http://192.0.2.1:9/v2")

    assert capture_log(fn ->
             assert {:error, %Error{kind: :unauthorized} = error} = InferenceEndpoints.pause("e", options)
             assert error.message =~ "the token is not sent to http://192.0.2.1:9 over plain http"
           end) =~ "not sent"

    origins =
      for %{name: name, value: url} <- Config.explain().settings,
          name in [:inference_endpoints_url, :inference_catalog_url],
          do: url

    assert ["https://api.endpoints.huggingface.cloud/v2", "https://endpoints.huggingface.co/api/v1/catalog"] =
             origins
  end

  test "malformed responses are errors, and missing fields are nil", %{ours: ours} = context do
    for {path, body} <- [
          {"/endpoint/acme", "{}"},
          {"/endpoint/acme/list", "[]"},
          {"/endpoint/acme/nameless", ~s({"status":{"state":"running"}})},
          {"/provider/acme", ~s({"vendors":[{"name":"aws","regions":{}}]})}
        ],
        do: plant(context, path, 200, body)

    invalid = fn result -> assert {:error, %Error{kind: :invalid_response}} = result end
    invalid.(InferenceEndpoints.list(ours))
    invalid.(InferenceEndpoints.get("list", ours))
    invalid.(InferenceEndpoints.get("nameless", ours))
    invalid.(InferenceEndpoints.wait_until_running("nameless", ours))
    invalid.(InferenceEndpoints.list_hardware(ours))

    plant(
      context,
      "/endpoint/acme/bare",
      200,
      ~s({"name":"bare","status":[],"model":null,"compute":false,"tags":{}})
    )

    assert %Endpoint{name: "bare", namespace: "acme", status: nil, model: nil, tags: []} =
             InferenceEndpoints.get!("bare", ours)
  end

  test "an endpoint that cannot run without help is an error that shows the next step",
       %{ours: ours} = context do
    for {state, next} <- [
          {"failed", "read its log"},
          {"updateFailed", "HfHub.InferenceEndpoints.update/2"},
          {"paused", "HfHub.InferenceEndpoints.resume/2"},
          {"scaledToZero", "send it a request"}
        ] do
      plant(context, "/endpoint/acme/#{state}", 200, state(state, ~s(,"message":"out of memory")))

      assert {:error, %Error{kind: :precondition} = error} =
               InferenceEndpoints.wait_until_running(state, ours)

      assert error.message =~ "(out of memory); "
      assert error.message =~ next
    end
  end

  test "waiting ends before a pause that is longer than the timeout, and at a token that the endpoint rejects",
       %{ours: ours} = context do
    plant(context, "/endpoint/acme/slow", 200, state("pending"))
    options = [poll_interval: 600_000, timeout: 60_000] ++ ours

    assert {:error, %Error{kind: :timeout, message: message}} =
             InferenceEndpoints.wait_until_running("slow", options)

    assert message =~ ~s(the endpoint "slow" was not ready within 60000 ms: its state is :pending; )

    served = context.endpoint <> context.base <> "/served"
    plant(context, "/endpoint/acme/e", 200, state("running", ~s(,"url":"#{served}")))
    plant(context, "/served/health", 503, "{}", %{times: 1})

    assert {:error, %Error{kind: :timeout, message: message}} =
             InferenceEndpoints.wait_until_running("e", options)

    assert message =~ "its health route does not respond: "
    plant(context, "/served/health", 403, "{}", %{skip: 1})

    assert {:error, %Error{kind: :forbidden, message: message}} =
             InferenceEndpoints.wait_until_running("e", ours)

    assert message =~ "at #{context.endpoint}/settings/tokens"
  end

  test "an endpoint that has an address has a client, another one an error that shows the next step" do
    endpoint = %InferenceEndpoints.Endpoint{name: "bert", status: :running, url: "http://127.0.0.1:9/v1"}
    assert {:ok, %{model: "http://127.0.0.1:9/v1"}} = InferenceEndpoints.client(endpoint, token: false)

    assert {:error, %Error{kind: :precondition, message: message}} =
             InferenceEndpoints.client(%{endpoint | url: nil, status: :pending})

    assert message =~ "wait_until_running"

    assert_raise Error, ~r/resume/, fn ->
      InferenceEndpoints.client!(%{endpoint | url: nil, status: :paused})
    end
  end

  test "a setting that has no effect on the engine is logged", %{ours: ours} = context do
    plant(context, "/endpoint/acme/e", 200, state("updating"))
    options = [custom_image: %{tgi: %{url: "u"}}, data_parallel_size: 2] ++ ours
    log = capture_log(fn -> assert {:ok, _} = InferenceEndpoints.update("e", options) end)
    assert log =~ ~s(:data_parallel_size has no effect on the image "tgi"; it is a setting of vLLM)

    assert {:error, %Error{kind: :precondition}} =
             InferenceEndpoints.update("e", [tensor_parallel_size: 2] ++ ours)
  end

  test "the address of a Hub alone is refused, so that its token is not sent to the public service", %{
    endpoint: hub
  } do
    opts = [endpoint: hub, token: "hf_x"]

    for {setting, calls} <- [
          inference_endpoints_url: [
            fn -> InferenceEndpoints.list(opts) end,
            fn -> InferenceEndpoints.get("e", opts) end,
            fn -> InferenceEndpoints.create("e", @required ++ opts) end,
            fn -> InferenceEndpoints.update("e", [min_replica: 1] ++ opts) end,
            fn -> InferenceEndpoints.delete("e", opts) end,
            fn -> InferenceEndpoints.pause("e", opts) end,
            fn -> InferenceEndpoints.resume("e", opts) end,
            fn -> InferenceEndpoints.scale_to_zero("e", opts) end,
            fn -> InferenceEndpoints.wait_until_running("e", opts) end,
            fn -> InferenceEndpoints.list_hardware(opts) end
          ],
          inference_catalog_url: [
            fn -> InferenceEndpoints.list_catalog(opts) end,
            fn -> InferenceEndpoints.create_from_catalog([repo_id: "acme/m"] ++ opts) end
          ]
        ],
        call <- calls do
      assert_raise ArgumentError,
                   ~r/^option :endpoint is the address of the Hub only; pass :#{setting} too/,
                   call
    end
  end

  test "something that cannot be an endpoint is an error before a request", %{ours: ours, base: base} do
    for endpoint <- [nil, 5, [token: "hf_hush"]],
        call <- [
          fn -> InferenceEndpoints.get(endpoint, ours) end,
          fn -> InferenceEndpoints.delete(endpoint, ours) end,
          fn -> InferenceEndpoints.create(endpoint, @required ++ ours) end
        ] do
      assert {:error, %Error{kind: :invalid_name, message: message}} = call.()
      assert message =~ "expected its name as a string, or a HfHub.InferenceEndpoints.Endpoint"
      refute message =~ "hush"
    end

    assert requests(base) == []
  end
end
