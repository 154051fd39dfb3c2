defmodule HfHub.InferenceEndpoints.Payload do
  # The JSON bodies that create and change endpoints, from options.
  @moduledoc false

  require Logger

  @tensor_engines ["sGLang", "vLLM"]
  @data_engines ["vLLM"]

  @doc "Returns the body that creates an endpoint."
  @spec create(String.t(), keyword()) :: map()
  def create(name, opts) do
    check_create(opts)
    image = if opts[:custom_image], do: image!(opts[:custom_image]), else: %{"huggingface" => %{}}

    %{
      name: name,
      type: to_string(opts[:type]),
      provider: %{region: opts[:region], vendor: opts[:vendor]},
      compute: Map.put(hardware(opts), :scaling, scaling(opts)),
      # The API accepts null for a revision, but not for a task.
      model:
        opts
        |> model()
        |> Map.put(:revision, opts[:revision])
        |> Map.put(:image, with_credentials(image, opts))
        |> without_empty([:env, :secrets]),
      privateService: private_service(opts),
      route: if_any(taken(opts, domain: :domain, path: :path)),
      cacheHttpResponses: opts[:cache_http_responses],
      tags: opts[:tags]
    }
  end

  defp check_create(opts) do
    check_replicas(opts)

    cond do
      opts[:container_registry_password] && !opts[:container_registry_username] ->
        raise ArgumentError, ":container_registry_password requires :container_registry_username"

      opts[:container_registry_username] && !opts[:custom_image] ->
        raise ArgumentError, "a user of a container registry requires :custom_image"

      opts[:private_link_account_id] && !opts[:private_link_region] ->
        raise ArgumentError,
              ":private_link_account_id requires :private_link_region: the AWS region of the PrivateLink entry point, " <>
                "\"us-east-1\" or \"eu-west-1\""

      opts[:private_link_region] && !opts[:private_link_account_id] ->
        raise ArgumentError, ":private_link_region requires :private_link_account_id"

      true ->
        :ok
    end
  end

  defp check_replicas(opts) do
    {least, most} = {opts[:min_replica], opts[:max_replica]}

    if least && most && least > most,
      do: raise(ArgumentError, ":min_replica is #{least}, which is more than the :max_replica of #{most}")

    if opts[:scaling_threshold] && !opts[:scaling_metric],
      do: raise(ArgumentError, ":scaling_threshold requires :scaling_metric")
  end

  @doc "Returns the body of an update, which has only what was given, but for the image; see `image/3`."
  @spec update(keyword()) :: map()
  def update(opts) do
    check_replicas(opts)
    compute = Map.merge(hardware(opts), given(scaling: if_any(given(Map.to_list(scaling(opts))))))
    image = if opts[:custom_image], do: image!(opts[:custom_image])

    %{
      compute: if_any(compute),
      model:
        if_any(
          Map.merge(
            model(opts),
            taken([image: image, revision: opts[:revision]], image: :image, revision: :revision)
          )
        ),
      route: if_any(taken(opts, domain: :domain, path: :path)),
      cacheHttpResponses: opts[:cache_http_responses],
      tags: opts[:tags]
    }
  end

  @doc "Sets the parallelism of an image, which belongs to the settings of its engine."
  @spec parallel(map(), keyword()) :: map()
  def parallel(image, opts) do
    [{engine, settings}] = Map.to_list(image)
    warn_unless_known(engine, :tensor_parallel_size, opts, @tensor_engines)
    warn_unless_known(engine, :data_parallel_size, opts, @data_engines)

    sizes = taken(opts, tensor_parallel_size: "tensorParallelSize", data_parallel_size: "dataParallelSize")
    %{engine => Map.merge(settings, sizes)}
  end

  # The API ignores a setting that an engine does not have.
  defp warn_unless_known(engine, option, opts, engines) do
    if opts[option] && engine not in engines do
      Logger.warning(
        "#{inspect(option)} has no effect on the image #{inspect(engine)}; it is a setting of #{Enum.join(engines, " and ")}"
      )
    end
  end

  @doc "Returns an image as a map of one engine to its settings."
  @spec image!(map()) :: map()
  def image!(image) do
    image = strings(image)
    image = if is_map_key(image, "url"), do: %{"custom" => image}, else: image

    case Map.to_list(image) do
      [{engine, %{} = settings}] ->
        %{engine => strings(settings)}

      _other ->
        raise ArgumentError,
              "expected :custom_image to be a map of one engine to its settings, such as %{vLLM: %{url: …, port: 8000}}, " <>
                "or the settings of a container with a :url, got a map of #{image |> Map.keys() |> inspect(limit: 10)}"
    end
  end

  @doc "Returns the values of an update or a new endpoint that no error may show."
  @spec secrets(keyword()) :: [String.t()]
  def secrets(opts) do
    image =
      for {_engine, %{"credentials" => %{"password" => word}}} <- opts[:custom_image] |> engines(), do: word

    password = List.wrap(opts[:container_registry_password])
    Map.values(opts[:secrets] || %{}) ++ password ++ Enum.filter(image, &is_binary/1)
  end

  defp engines(nil), do: []
  defp engines(image), do: for({engine, settings} <- image!(image), do: {engine, credentials(settings)})

  defp credentials(%{"credentials" => %{} = credentials}), do: %{"credentials" => strings(credentials)}
  defp credentials(_settings), do: %{}

  defp with_credentials(image, opts) do
    case {opts[:container_registry_username], image} do
      {nil, image} ->
        image

      {user, %{"custom" => container}} ->
        credentials = given(username: user, password: opts[:container_registry_password])
        %{"custom" => Map.put(container, "credentials", credentials)}

      {_user, _image} ->
        raise ArgumentError, "a user of a container registry requires a custom container image, with a :url"
    end
  end

  defp hardware(opts) do
    taken(opts, accelerator: :accelerator, instance_size: :instanceSize, instance_type: :instanceType)
  end

  defp scaling(opts) do
    scaling = %{
      minReplica: opts[:min_replica],
      maxReplica: opts[:max_replica],
      scaleToZeroTimeout: opts[:scale_to_zero_timeout]
    }

    case opts[:scaling_metric] do
      nil -> scaling
      :pending_requests -> Map.put(scaling, :measure, %{pendingRequests: opts[:scaling_threshold]})
      :hardware_usage -> Map.put(scaling, :measure, %{hardwareUsage: opts[:scaling_threshold]})
    end
  end

  defp model(opts) do
    taken(opts,
      repository: :repository,
      framework: :framework,
      task: :task,
      container_command: :command,
      container_args: :args,
      env: :env,
      secrets: :secrets
    )
  end

  defp private_service(opts) do
    if opts[:private_link_account_id],
      do: %{accountId: opts[:private_link_account_id], region: opts[:private_link_region]}
  end

  defp without_empty(map, names), do: Map.reject(map, fn {name, value} -> name in names and value == %{} end)

  defp taken(opts, names) do
    for {option, name} <- names, (value = opts[option]) != nil, into: %{}, do: {name, value}
  end

  defp given(entries), do: for({name, value} <- entries, value != nil, into: %{}, do: {name, value})
  defp if_any(map), do: if(map != %{}, do: map)
  defp strings(map), do: Map.new(map, fn {name, value} -> {to_string(name), value} end)
end
