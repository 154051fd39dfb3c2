defmodule HfHub.CLI.Endpoints do
  # Inference Endpoints.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI.{Call, Command, Flags, Output, Values}
  alias HfHub.CLI.Endpoints.{Catalog, Image}
  alias HfHub.InferenceEndpoints

  @name [name: [doc: "Name of the endpoint"]]
  @namespace [namespace: [type: :string, doc: "User or organization. Defaults to the token's account"]]

  @addresses [
    inference_endpoints_url: [
      type: :string,
      doc: "Base URL of the service, which gets the token. Defaults to that of Hugging Face"
    ],
    inference_catalog_url: [
      type: :string,
      doc: "Base URL of the catalog, which gets the token. Defaults to that of Hugging Face"
    ]
  ]

  @compute [
    accelerator: [type: :string, doc: "Hardware accelerator, such as `cpu` or `gpu`"],
    instance_size: [type: :string, doc: "Size of the instance, such as `x4`"],
    instance_type: [type: :string, doc: "Type of the instance, such as `intel-icl`"],
    framework: [type: :string, doc: "Framework, such as `pytorch`"],
    task: [type: :string, doc: "Task, such as `text-generation`"],
    revision: [type: :string, doc: "Revision of the model"],
    min_replica: [type: :integer, doc: "Minimum number of replicas"],
    max_replica: [type: :integer, doc: "Maximum number of replicas"],
    scale_to_zero_timeout: [type: :integer, doc: "Idle minutes after which it scales to zero"],
    scaling_metric: [type: {:in, ~w(pendingRequests hardwareUsage)}, doc: "Metric that adds replicas"],
    scaling_threshold: [type: :float, doc: "Value of the metric that adds a replica"]
  ]

  @impl true
  def noun, do: [name: "endpoints", summary: "Manages Inference Endpoints"]

  @impl true
  def commands do
    [
      command(["list"], &list/1, summary: "Lists the endpoints", aliases: ["ls"]),
      command(["deploy"], &deploy/1, summary: "Deploys a model", args: @name, flags: deployment()),
      command(["describe"], &describe/1, summary: "Shows an endpoint", args: @name),
      command(["update"], &update/1,
        summary: "Changes an endpoint",
        args: @name,
        flags: [repo: [type: :string, doc: "Id of the model"]] ++ @compute ++ Image.flags()
      ),
      command(["delete"], &delete/1, summary: "Deletes an endpoint", args: @name, flags: Flags.yes()),
      command(["pause"], &pause/1, summary: "Pauses an endpoint", args: @name),
      command(["resume"], &resume/1,
        summary: "Resumes an endpoint",
        args: @name,
        flags: [fail_if_already_running: [type: :boolean, doc: "Fails if it runs already"]]
      ),
      command(["scale-to-zero"], &scale_to_zero/1, summary: "Scales an endpoint to zero", args: @name)
    ] ++ Catalog.commands(&bare/3)
  end

  defp command(words, run, fields),
    do: bare(words, run, Keyword.update(fields, :flags, @namespace, &(&1 ++ @namespace)))

  defp bare(words, run, fields) do
    address = if hd(words) == "catalog", do: :inference_catalog_url, else: :inference_endpoints_url
    flags = Keyword.get(fields, :flags, []) ++ Keyword.take(@addresses, [address])
    hf = Enum.join(["endpoints" | words], " ")
    struct!(Command, [words: words, run: run, hf: hf] ++ Keyword.put(fields, :flags, flags))
  end

  defp deployment do
    required =
      for name <- [:accelerator, :instance_size, :instance_type, :framework],
          do: {name, Keyword.put(@compute[name], :required, true)}

    [
      repo: [type: :string, required: true, doc: "Id of the model"],
      vendor: [type: :string, required: true, doc: "Cloud provider, such as `aws`"],
      region: [type: :string, required: true, doc: "Region of the provider, such as `us-east-1`"],
      type: [type: {:in, ~w(public protected authenticated private)}, doc: "Clients that may send requests"]
    ] ++
      Keyword.merge(@compute, required) ++ Image.flags() ++ Image.registry_flags() ++ Values.flags()
  end

  defp list(call) do
    with {:ok, found} <- InferenceEndpoints.list(options(call, [:namespace])),
         do: {:table, Enum.map(found, &row(&1.raw)), id: "name"}
  end

  defp row(json) do
    [
      {"name", json["name"]},
      {"model", json["model"]["repository"]},
      {"status", json["status"]["state"]},
      {"task", json["model"]["task"]},
      {"framework", json["model"]["framework"]},
      {"instance", json["compute"]["instanceType"]},
      {"vendor", json["provider"]["vendor"]},
      {"region", json["provider"]["region"]}
    ]
  end

  defp deploy(%{flags: flags} = call) do
    maps = [
      env: Values.variables(flags[:env], flags[:env_file]),
      secrets: Values.variables(flags[:secrets], flags[:secrets_file])
    ]

    given = for {name, value} when value != %{} <- maps, do: {name, value}
    names = [:namespace, :vendor, :region, :type, {:repo, :repository}] ++ Keyword.keys(@compute)

    with {:ok, image} <- Image.options(flags, :new),
         do: call.args.name |> InferenceEndpoints.create(options(call, names) ++ given ++ image) |> shown()
  end

  defp describe(call), do: call |> on(&InferenceEndpoints.get/2) |> shown()
  defp pause(call), do: call |> on(&InferenceEndpoints.pause/2) |> shown()
  defp scale_to_zero(call), do: call |> on(&InferenceEndpoints.scale_to_zero/2) |> shown()

  defp resume(call) do
    running_ok = [running_ok: not (call.flags[:fail_if_already_running] || false)]
    call |> on(&InferenceEndpoints.resume(&1, running_ok ++ &2)) |> shown()
  end

  defp update(call) do
    opts = options(call, [:namespace, {:repo, :repository}] ++ Keyword.keys(@compute))

    with {:ok, image} <- Image.options(call.flags, :existing),
         do: call.args.name |> InferenceEndpoints.update(opts ++ image) |> shown()
  end

  defp delete(%{args: %{name: name}} = call) do
    with :ok <- Output.confirm(call, "Delete endpoint '#{name}'?"),
         :ok <- on(call, &InferenceEndpoints.delete/2),
         do: {:done, "Deleted '#{name}'.", name: name}
  end

  defp on(call, work), do: work.(call.args.name, options(call, [:namespace]))

  defp options(call, names), do: Call.options(call, [:inference_endpoints_url | names])

  # As `hf` does, the JSON of the service.
  defp shown({:ok, endpoint}), do: {:record, endpoint.raw, whole: true}
  defp shown(failed), do: failed
end
