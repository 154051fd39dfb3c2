defmodule HfHub.InferenceEndpoints do
  @moduledoc """
  Inference Endpoints: models on dedicated servers, which cost money while they run.

      {:ok, endpoint} =
        HfHub.InferenceEndpoints.create("my-bert",
          repository: "google-bert/bert-base-uncased",
          task: "fill-mask",
          accelerator: "cpu",
          instance_size: "x1",
          instance_type: "intel-icl",
          region: "us-east-1",
          vendor: "aws"
        )

      {:ok, %{url: url}} = HfHub.InferenceEndpoints.wait_until_running(endpoint, timeout: 600_000)

  The endpoints are managed by another server than the Hub's, whose address is the option `:inference_endpoints_url`, or the
  setting of that name; the token is sent to it. Functions about one endpoint take its name, or a
  `HfHub.InferenceEndpoints.Endpoint`, whose namespace they use unless `:namespace` is given.
  """

  alias HfHub.{Auth, Decode, Error, Inference, Options, Request, RepoRef}
  alias HfHub.InferenceEndpoints.{Call, CatalogModel, Endpoint, Hardware, Payload, Tables, Update, Waiting}

  @type result :: {:ok, Endpoint.t()} | {:error, Error.t()}

  @doc """
  Returns the endpoints of a user or an organization.

  With `namespace: :all`, organizations whose endpoints the token may not list are left out.

  ## Options

  #{Options.docs(Tables.list())}

  ## Examples

      {:ok, endpoints} = HfHub.InferenceEndpoints.list(namespace: :all)
      for %{status: :running} = endpoint <- endpoints, do: endpoint.name
  """
  @doc python: "list_inference_endpoints"
  @spec list(keyword()) :: {:ok, [Endpoint.t()]} | {:error, Error.t()}
  def list(opts \\ []) do
    opts = Call.validate!(opts, Tables.list())

    case opts[:namespace] do
      :all -> list_all(opts)
      given -> with {:ok, namespace} <- Call.namespace(given, opts), do: list_in(namespace, opts)
    end
  end

  @doc "Same as `list/1`, but returns the endpoints or raises `HfHub.Error`."
  @spec list!(keyword()) :: [Endpoint.t()]
  def list!(opts \\ []), do: Error.unwrap!(list(opts))

  defp list_all(opts) do
    with {:ok, account} <- Auth.whoami(Keyword.take(opts, Keyword.keys(Options.common()))),
         {:ok, own} <- list_in(account.name, opts) do
      Enum.reduce_while(account.orgs, {:ok, own}, fn org, {:ok, found} ->
        case list_in(org.name, opts) do
          {:ok, more} -> {:cont, {:ok, found ++ more}}
          # An organization without billing, or whose endpoints the account may not see.
          {:error, %{kind: kind}} when kind in [:unauthorized, :forbidden] -> {:cont, {:ok, found}}
          error -> {:halt, error}
        end
      end)
    end
  end

  defp list_in(namespace, opts) do
    :get
    |> Call.api("/endpoint/:namespace", [namespace: namespace], opts)
    |> Call.run(opts, &Decode.items(Decode.get(&1, "items"), fn item -> Call.decode(item, namespace) end))
  end

  @doc """
  Returns an endpoint.

  ## Options

  #{Options.docs(Tables.one())}

  ## Examples

      {:ok, %{status: :running, url: url}} = HfHub.InferenceEndpoints.get("my-bert")
  """
  @doc python: "get_inference_endpoint"
  @spec get(String.t() | Endpoint.t(), keyword()) :: result()
  def get(endpoint, opts \\ []), do: simple(:get, "", endpoint, Call.validate!(opts, Tables.one()))

  @doc "Same as `get/2`, but returns the endpoint or raises `HfHub.Error`."
  @spec get!(String.t() | Endpoint.t(), keyword()) :: Endpoint.t()
  def get!(endpoint, opts \\ []), do: Error.unwrap!(get(endpoint, opts))

  @doc """
  Creates an endpoint, which starts at once, and returns it.

  ## Options

  #{Options.docs(Tables.create())}

  ## Examples

      {:ok, endpoint} =
        HfHub.InferenceEndpoints.create("my-llm",
          repository: "Qwen/Qwen3-8B",
          accelerator: "gpu",
          instance_size: "x1",
          instance_type: "nvidia-l4",
          region: "us-east-1",
          vendor: "aws",
          min_replica: 0,
          scale_to_zero_timeout: 15,
          custom_image: %{vLLM: %{url: "vllm/vllm-openai:v0.23.0", port: 8000}},
          secrets: %{"API_KEY" => System.fetch_env!("API_KEY")}
        )
  """
  @doc python: "create_inference_endpoint"
  @spec create(String.t(), keyword()) :: result()
  def create(name, opts) when is_binary(name) do
    opts = Call.validate!(opts, Tables.create())
    body = Payload.create(name, opts)

    with {:ok, namespace} <- Call.namespace(opts[:namespace], opts) do
      :post
      |> Call.api("/endpoint/:namespace", [namespace: namespace], opts)
      |> Request.json(body)
      |> Request.hide(Payload.secrets(opts))
      |> Call.run(opts, &Call.decode(&1, namespace))
    end
  end

  def create(other, _opts), do: Call.invalid(other)

  @doc "Same as `create/2`, but returns the endpoint or raises `HfHub.Error`."
  @spec create!(String.t(), keyword()) :: Endpoint.t()
  def create!(name, opts), do: Error.unwrap!(create(name, opts))

  @doc """
  Deploys a model of the catalog, which holds tested combinations of hardware and engine, and returns the endpoint.

  ## Options

  #{Options.docs(Tables.from_catalog())}

  ## Examples

      {:ok, endpoint} =
        HfHub.InferenceEndpoints.create_from_catalog(repo_id: "meta-llama/Llama-3.2-3B-Instruct")
  """
  @doc python: "create_inference_endpoint_from_catalog"
  @spec create_from_catalog(keyword()) :: result()
  def create_from_catalog(opts) do
    opts = Call.validate!(opts, Tables.from_catalog())
    check_choice(opts)

    body = %{
      config: if(opts[:name], do: %{name: opts[:name]}),
      accelerator: opts[:accelerator],
      ggufFile: opts[:gguf_file]
    }

    with {:ok, route, params} <- deployed(opts),
         {:ok, namespace} <- Call.namespace(opts[:namespace], opts) do
      :post
      |> Call.catalog(route, params, opts)
      |> Request.json(Map.put(body, :namespace, namespace))
      |> Call.run(opts, &Call.decode(Decode.get(&1, "endpoint"), namespace))
    end
  end

  @doc "Same as `create_from_catalog/1`, but returns the endpoint or raises `HfHub.Error`."
  @spec create_from_catalog!(keyword()) :: Endpoint.t()
  def create_from_catalog!(opts), do: Error.unwrap!(create_from_catalog(opts))

  defp check_choice(opts) do
    cond do
      opts[:repo_id] == nil == (opts[:recipe_id] == nil) ->
        raise ArgumentError, "expected exactly one of :repo_id and :recipe_id"

      opts[:recipe_id] && (opts[:accelerator] || opts[:gguf_file]) ->
        raise ArgumentError,
              ":accelerator and :gguf_file choose a recipe, and cannot be combined with :recipe_id"

      true ->
        :ok
    end
  end

  defp deployed(opts) do
    if opts[:recipe_id] do
      {:ok, "/recipe/:id/deploy", [id: opts[:recipe_id]]}
    else
      with {:ok, ref} <- RepoRef.whole(opts[:repo_id], only: :model, endpoint: opts[:endpoint]),
           do: {:ok, "/model/*repo/deploy", [repo: ref.repo_id]}
    end
  end

  @doc """
  Changes an endpoint, and returns it. Only what is given is changed.

  ## Options

  #{Options.docs(Tables.update())}

  ## Examples

      {:ok, _endpoint} = HfHub.InferenceEndpoints.update("my-bert", min_replica: 1, max_replica: 4)
  """
  @doc python: "update_inference_endpoint"
  @spec update(String.t() | Endpoint.t(), keyword()) :: result()
  def update(endpoint, opts \\ []) do
    opts = Call.validate!(opts, Tables.update())
    body = Update.body!(opts)
    with {:ok, place} <- Call.place(endpoint, opts), do: Update.run(place, body, opts)
  end

  @doc "Same as `update/2`, but returns the endpoint or raises `HfHub.Error`."
  @spec update!(String.t() | Endpoint.t(), keyword()) :: Endpoint.t()
  def update!(endpoint, opts \\ []), do: Error.unwrap!(update(endpoint, opts))

  @doc """
  Deletes an endpoint. It cannot be restored; `pause/2` and `scale_to_zero/2` save the costs, too. Options: those of
  `get/2`.

  ## Examples

      :ok = HfHub.InferenceEndpoints.delete("my-bert")
  """
  @doc python: "delete_inference_endpoint"
  @spec delete(String.t() | Endpoint.t(), keyword()) :: :ok | {:error, Error.t()}
  def delete(endpoint, opts \\ []) do
    opts = Call.validate!(opts, Tables.one())

    with {:ok, place} <- Call.place(endpoint, opts),
         do: :delete |> Call.one(place, opts) |> Call.effect(place, opts)
  end

  @doc "Same as `delete/2`, but returns `:ok` or raises `HfHub.Error`."
  @spec delete!(String.t() | Endpoint.t(), keyword()) :: :ok
  def delete!(endpoint, opts \\ []), do: Error.unwrap!(delete(endpoint, opts))

  @doc """
  Stops an endpoint until `resume/2`, and returns it. A paused endpoint costs nothing. Options: those of `get/2`.

  ## Examples

      {:ok, %{status: :paused}} = HfHub.InferenceEndpoints.pause("my-bert")
  """
  @doc python: "pause_inference_endpoint"
  @spec pause(String.t() | Endpoint.t(), keyword()) :: result()
  def pause(endpoint, opts \\ []),
    do: simple(:post, "/pause", endpoint, Call.validate!(opts, Tables.one()))

  @doc "Same as `pause/2`, but returns the endpoint or raises `HfHub.Error`."
  @spec pause!(String.t() | Endpoint.t(), keyword()) :: Endpoint.t()
  def pause!(endpoint, opts \\ []), do: Error.unwrap!(pause(endpoint, opts))

  @doc """
  Starts an endpoint that was paused or scaled to zero, and returns it.

  ## Options

  #{Options.docs(Tables.resume())}

  ## Examples

      {:ok, endpoint} = HfHub.InferenceEndpoints.resume("my-bert")
      {:ok, endpoint} = HfHub.InferenceEndpoints.wait_until_running(endpoint)
  """
  @doc python: "resume_inference_endpoint"
  @spec resume(String.t() | Endpoint.t(), keyword()) :: result()
  def resume(endpoint, opts \\ []) do
    opts = Call.validate!(opts, Tables.resume())

    with {:ok, place} <- Call.place(endpoint, opts),
         {:error, error} <- :post |> Call.one("/resume", place, opts) |> Call.endpoint(place, opts) do
      if opts[:running_ok] and error.kind == :bad_request and error.message =~ "already running",
        do: :get |> Call.one(place, opts) |> Call.endpoint(place, opts),
        else: {:error, error}
    end
  end

  @doc "Same as `resume/2`, but returns the endpoint or raises `HfHub.Error`."
  @spec resume!(String.t() | Endpoint.t(), keyword()) :: Endpoint.t()
  def resume!(endpoint, opts \\ []), do: Error.unwrap!(resume(endpoint, opts))

  @doc """
  Stops an endpoint until the next request to it, and returns it. It costs nothing until then. Options: those of `get/2`.

  ## Examples

      {:ok, %{status: :scaled_to_zero}} = HfHub.InferenceEndpoints.scale_to_zero("my-bert")
  """
  @doc python: "scale_to_zero_inference_endpoint"
  @spec scale_to_zero(String.t() | Endpoint.t(), keyword()) :: result()
  def scale_to_zero(endpoint, opts \\ []),
    do: simple(:post, "/scale-to-zero", endpoint, Call.validate!(opts, Tables.one()))

  @doc "Same as `scale_to_zero/2`, but returns the endpoint or raises `HfHub.Error`."
  @spec scale_to_zero!(String.t() | Endpoint.t(), keyword()) :: Endpoint.t()
  def scale_to_zero!(endpoint, opts \\ []), do: Error.unwrap!(scale_to_zero(endpoint, opts))

  defp simple(method, action, endpoint, opts) do
    with {:ok, place} <- Call.place(endpoint, opts),
         do: method |> Call.one(action, place, opts) |> Call.endpoint(place, opts)
  end

  @doc """
  Waits until an endpoint runs and its health check succeeds, and returns it. `:timeout` limits the time.

  An endpoint that failed, is paused or is scaled to zero is an error of kind `:precondition`, whose message shows the next
  step.

  ## Options

  #{Options.docs(Tables.wait())}

  ## Examples

      {:ok, %{status: :running}} =
        HfHub.InferenceEndpoints.wait_until_running("my-bert", timeout: 600_000)
  """
  @doc python: "InferenceEndpoint.wait"
  @spec wait_until_running(String.t() | Endpoint.t(), keyword()) :: result()
  def wait_until_running(endpoint, opts \\ []) do
    opts = Call.validate!(opts, Tables.wait())
    with {:ok, place} <- Call.place(endpoint, opts), do: Waiting.run(place, opts)
  end

  @doc "Same as `wait_until_running/2`, but returns the endpoint or raises `HfHub.Error`."
  @spec wait_until_running!(String.t() | Endpoint.t(), keyword()) :: Endpoint.t()
  def wait_until_running!(endpoint, opts \\ []), do: Error.unwrap!(wait_until_running(endpoint, opts))

  @doc """
  Returns a client for `HfHub.Inference` that calls the model of an endpoint. Options: those of `HfHub.Inference.new/1`.

  An endpoint that has no address yet is an error of kind `:precondition`; see `wait_until_running/2`.

  ## Examples

      {:ok, endpoint} = HfHub.InferenceEndpoints.wait_until_running("my-llm")
      {:ok, client} = HfHub.InferenceEndpoints.client(endpoint)
      {:ok, reply} = HfHub.Inference.chat_completion(client, [%{role: "user", content: "Hello"}])
  """
  @doc python: "InferenceEndpoint.client"
  @spec client(Endpoint.t(), keyword()) :: {:ok, Inference.Client.t()} | {:error, Error.t()}
  def client(endpoint, opts \\ [])

  def client(%Endpoint{url: url}, opts) when is_binary(url),
    do: {:ok, Inference.new([base_url: url] ++ opts)}

  def client(%Endpoint{} = endpoint, _opts), do: {:error, Waiting.stuck(endpoint)}

  @doc "Same as `client/2`, but returns the client or raises `HfHub.Error`."
  @spec client!(Endpoint.t(), keyword()) :: Inference.Client.t()
  def client!(endpoint, opts \\ []), do: Error.unwrap!(client(endpoint, opts))

  @doc """
  Returns the hardware for endpoints, with prices and the quotas of the namespace. Options: those of `get/2`.

  ## Examples

      {:ok, hardware} = HfHub.InferenceEndpoints.list_hardware()
      hardware |> Enum.filter(&(&1.accelerator == "gpu")) |> Enum.min_by(& &1.price_per_hour)
  """
  @doc python: "list_inference_endpoints_hardware"
  @spec list_hardware(keyword()) :: {:ok, [Hardware.t()]} | {:error, Error.t()}
  def list_hardware(opts \\ []) do
    opts = Call.validate!(opts, Tables.one())

    with {:ok, namespace} <- Call.namespace(opts[:namespace], opts) do
      :get
      |> Call.api("/provider/:namespace", [namespace: namespace], opts)
      |> Call.run(opts, &Call.hardware/1)
    end
  end

  @doc "Same as `list_hardware/1`, but returns the hardware or raises `HfHub.Error`."
  @spec list_hardware!(keyword()) :: [Hardware.t()]
  def list_hardware!(opts \\ []), do: Error.unwrap!(list_hardware(opts))

  @doc """
  Returns the models of the catalog, with the tested ways to deploy each.

  ## Options

  #{Options.docs(Tables.catalog())}

  ## Examples

      {:ok, models} = HfHub.InferenceEndpoints.list_catalog(task: "text-generation", engine: "vllm")
      for model <- models, recipe <- model.recipes, do: {model.repo_id, recipe.id}
  """
  @doc python: "list_inference_catalog"
  @spec list_catalog(keyword()) :: {:ok, [CatalogModel.t()]} | {:error, Error.t()}
  def list_catalog(opts \\ []) do
    opts = Call.validate!(opts, Tables.catalog())

    :get
    |> Call.catalog("/list", [], opts)
    |> Request.query(Keyword.take(opts, Keyword.keys(Tables.filters())))
    |> Call.run(opts, &Decode.items(Decode.get(&1, "items"), Decode.to(CatalogModel)))
  end

  @doc "Same as `list_catalog/1`, but returns the models or raises `HfHub.Error`."
  @spec list_catalog!(keyword()) :: [CatalogModel.t()]
  def list_catalog!(opts \\ []), do: Error.unwrap!(list_catalog(opts))
end
