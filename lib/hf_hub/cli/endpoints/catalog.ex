defmodule HfHub.CLI.Endpoints.Catalog do
  # The hardware for endpoints, and the catalog of tested deployments.
  @moduledoc false

  alias HfHub.CLI.{Call, Command, Json, Output}
  alias HfHub.InferenceEndpoints

  @namespace [namespace: [type: :string, doc: "User or organization. Defaults to the token's account"]]

  @accelerator [type: :string, doc: "Accelerator: `cpu`, `gpu`, `neuron` or a newer one"]

  @doc "Returns the commands."
  @spec commands(([String.t()], (Call.t() -> Output.shown()), keyword() -> Command.t())) :: [Command.t()]
  def commands(command) do
    [
      command.(["hardware"], &hardware/1,
        summary: "Lists the hardware for endpoints, with its prices and your quota",
        flags:
          [
            vendor: [type: :string, doc: "Cloud provider, such as `aws`"],
            region: [type: :string, doc: "Region of the provider, such as `us-east-1`"],
            accelerator: @accelerator,
            instance_type: [type: :string, doc: "Type of the instance, such as `nvidia-l4`"],
            all: [type: :boolean, short: "a", doc: "Includes hardware that cannot be deployed on now"]
          ] ++ @namespace
      ),
      command.(["catalog", "list"], &list/1,
        summary: "Lists tested ways to deploy models",
        aliases: ["ls"],
        flags: [
          accelerator: @accelerator,
          engine: [type: :string, doc: "Engine: `llamacpp`, `sglang`, `tei`, `vllm` or a newer one"],
          license: [type: :string, doc: "License of the models"],
          task: [type: :string, doc: "Task of the models, such as `text-generation`"],
          search: [type: :string, doc: "Text in the names of the models"],
          limit: [type: :integer, doc: "Maximum number of models"]
        ]
      ),
      command.(["catalog", "deploy"], &deploy/1,
        summary: "Deploys a model in a tested way",
        flags:
          [
            repo: [type: :string, doc: "Id of the model; instead of `--recipe`"],
            recipe: [type: :string, doc: "Id of the recipe that `catalog list` shows; instead of `--repo`"],
            name: [type: :string, doc: "Name of the endpoint. Defaults to one that the service chooses"],
            accelerator: @accelerator,
            gguf_file: [type: :string, doc: "GGUF file of the recipe to use; with `--repo`"]
          ] ++ @namespace,
        examples: ["--repo meta-llama/Llama-3.2-1B-Instruct"]
      )
    ]
  end

  @columns ~w(vendor region accelerator instance_type instance_size memory_gb gpu_memory_gb price_per_hour quota status)
  @filters [:vendor, :region, :accelerator, :instance_type]

  defp hardware(call) do
    with {:ok, all} <- InferenceEndpoints.list_hardware(options(call, [:namespace])) do
      matching = Enum.filter(all, fn unit -> Enum.all?(@filters, &alike?(unit, call.flags, &1)) end)
      shown = if call.flags[:all], do: matching, else: Enum.filter(matching, &deployable?/1)
      order = &{&1.vendor, &1.region, &1.accelerator, &1.instance_type, &1.num_accelerators}
      rows = for unit <- Enum.sort_by(shown, order), do: Json.row(unit) ++ [{"quota", quota(unit)}]
      [{:table, rows, id: "id", columns: @columns} | hint(shown, matching, all, call.flags)]
    end
  end

  defp alike?(unit, flags, name) do
    case flags[name] do
      nil -> true
      wanted -> String.downcase(wanted) == String.downcase(Map.fetch!(unit, name) || "")
    end
  end

  defp deployable?(unit) do
    free = (unit.max_accelerators || 0) - (unit.used_accelerators || 0)
    unit.status not in [:deprecated, :not_available] and free >= (unit.num_accelerators || 0)
  end

  defp quota(unit), do: "#{unit.used_accelerators}/#{unit.max_accelerators}"

  # Nothing was found: a value may be mistyped.
  defp hint([], [], all, flags) do
    unknown =
      for name <- @filters,
          wanted = flags[name],
          not Enum.any?(all, &alike?(&1, flags, name)),
          do: "no #{String.replace("#{name}", "_", " ")} #{wanted}; there are #{known(all, name)}"

    text = if unknown == [], do: "no hardware matches all filters at once", else: Enum.join(unknown, ". ")
    [{:note, "Hint: " <> text}]
  end

  defp hint([], _matching, _all, _flags),
    do: [{:note, "Hint: --all includes hardware that cannot be deployed on now"}]

  defp hint(_shown, _matching, _all, _flags), do: []

  defp known(all, name),
    do: all |> Enum.map(&Map.fetch!(&1, name)) |> Enum.uniq() |> Enum.sort() |> Enum.join(", ")

  defp list(call) do
    names = [:accelerator, :engine, :license, :task, :search, :limit]

    with {:ok, models} <- InferenceEndpoints.list_catalog(options(call, names)) do
      rows = for model <- models, recipe <- model.recipes, do: row(model, recipe)
      {:table, rows, id: "recipe_id"}
    end
  end

  defp row(model, recipe) do
    [
      {"repo_id", model.repo_id},
      {"task", model.task},
      {"license", model.license},
      {"accelerator", recipe.accelerator},
      {"engine", recipe.engine},
      {"gguf_file", recipe.gguf_file},
      {"recipe_id", recipe.id}
    ]
  end

  defp deploy(%{flags: flags}) when is_map_key(flags, :repo) == is_map_key(flags, :recipe),
    do: {:error, "pass either --repo or --recipe; endpoints catalog list shows the recipes"}

  defp deploy(call) do
    names = [{:repo, :repo_id}, {:recipe, :recipe_id}, :name, :accelerator, :gguf_file, :namespace]

    with {:ok, endpoint} <- InferenceEndpoints.create_from_catalog(options(call, names)),
         do: {:record, endpoint.raw, whole: true}
  end

  # Each function has only the address of the service that it calls.
  defp options(call, names) do
    address =
      if hd(call.command.words) == "catalog", do: :inference_catalog_url, else: :inference_endpoints_url

    Call.options(call, [address | names])
  end
end
