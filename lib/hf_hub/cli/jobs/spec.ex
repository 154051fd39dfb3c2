defmodule HfHub.CLI.Jobs.Spec do
  # What commands about jobs have in common: flags of a job, options from them, and rows of tables.
  @moduledoc false

  alias HfHub.CLI.{Call, Command, Json, Table, Values}
  alias HfHub.CLI.Jobs.Name
  alias HfHub.Jobs

  @doc "Returns the flags of a new job."
  @spec flags() :: Command.rules()
  def flags do
    Values.flags() ++
      [volume: Keyword.put(Values.volume_flag()[:volume], :doc, volume_doc())] ++
      [
        name: [type: :string, doc: "Name of the job"],
        label: [type: {:list, :string}, short: "l", doc: "Label, as `KEY=VALUE`"],
        flavor: [type: :string, doc: "Hardware, such as `t4-small`. Defaults to `cpu-basic`"],
        job_timeout: [type: :string, names: ["timeout"], doc: "Maximum duration of the job, such as `30m`"],
        attempts: [type: :integer, doc: "Maximum number of attempts. Defaults to 1"],
        expose: [type: {:list, :integer}, doc: "Port to reach by URL with a token"],
        expose_public: [type: {:list, :integer}, doc: "Port to reach by URL without a token"],
        resource_group_id: [type: :string, doc: "Id of the resource group of an Enterprise organization"],
        dry_run: [type: :boolean, doc: "Prints the configuration of the job, and does not submit it"]
      ]
  end

  defp volume_doc do
    Values.volume_flag()[:volume][:doc] <>
      ". Or `FOLDER:/MOUNT[:rw]`: the folder is copied to a bucket, which is mounted"
  end

  @doc "Returns the flags of a job that runs at once."
  @spec attached() :: Command.rules()
  def attached do
    [
      detach: [type: :boolean, short: "d", doc: "Prints the id, and does not wait for the job"],
      ssh: [type: :boolean, doc: "Allows SSH into the container; see `jobs ssh`"],
      network_group: [type: :string, doc: "Group of jobs that reach each other on all ports"],
      network_alias: [type: {:list, :string}, doc: "Name of the job in its group"]
    ]
  end

  @doc "Returns the flags of a Python script."
  @spec uv_flags() :: Command.rules()
  def uv_flags do
    [
      image: [type: :string, doc: "Docker image with uv"],
      with: [type: {:list, :string}, doc: "Package to install"],
      python: [type: :string, short: "p", doc: "Version of Python"]
    ]
  end

  @doc "Returns the flag for the owner of jobs."
  @spec namespace() :: Command.rules()
  def namespace,
    do: [namespace: [type: :string, doc: "User or organization. Defaults to the token's account"]]

  @doc "Returns the flags that replace labels."
  @spec label_flags() :: Command.rules()
  def label_flags do
    [
      label: [type: {:list, :string}, short: "l", doc: "Label, as `KEY=VALUE`"],
      name: [type: :string, doc: "Name of the job"],
      clear: [type: :boolean, doc: "Removes all labels"]
    ]
  end

  @doc "Returns the options of a new job. Folders among its volumes are copied to a bucket."
  @spec options(Call.t()) :: {:ok, keyword()} | {:error, HfHub.Error.t() | String.t()}
  def options(%{flags: flags} = call) do
    maps = [
      env: Values.variables(flags[:env], flags[:env_file]),
      secrets: Values.secrets(flags[:secrets], flags[:secrets_file]),
      labels: Map.delete(Values.labels(flags[:label], flags[:name]), "name")
    ]

    names =
      ~w(flavor job_timeout attempts expose expose_public resource_group_id ssh namespace suspend concurrency network_group)a ++
        [network_alias: :network_aliases]

    with {:ok, volumes} <- Call.each(flags[:volume] || [], &volume(&1, call)) do
      given = for {name, value} when value != %{} <- maps, do: {name, value}
      volumes = if volumes == [], do: [], else: [volumes: volumes]
      {:ok, given ++ volumes ++ Name.option(call) ++ Call.options(call, names)}
    end
  end

  defp volume("hf://" <> _rest = text, _call), do: {:ok, hd(Values.volumes([text]))}

  defp volume(text, call) do
    case Regex.run(~r{^(.+?):(/[^:]*)(?::(ro|rw))?$}, text) do
      [_all, folder, mount | mode] ->
        if File.dir?(folder),
          do:
            Jobs.sync_volume(folder, mount, [read_only: mode != ["rw"]] ++ Call.options(call, [:namespace])),
          else: {:error, "#{folder} is not a folder; a volume of the Hub begins with hf://"}

      nil ->
        {:error, "expected a volume as hf://[TYPE/]ID[/PATH]:/MOUNT[:ro] or FOLDER:/MOUNT[:rw], got: #{text}"}
    end
  end

  @doc "Returns the options of a Python script."
  @spec uv_options(Call.t()) :: {:ok, keyword()} | {:error, HfHub.Error.t() | String.t()}
  def uv_options(call) do
    own =
      [script_args: call.args.script_args] ++ Call.options(call, [:image, :python, {:with, :dependencies}])

    # The hub's options are in both.
    with {:ok, opts} <- options(call), do: {:ok, Keyword.merge(own, opts)}
  end

  @doc "Returns the labels that replace those of a job. A name alone leaves the others, which `current` returns."
  @spec new_labels(Call.t(), (() -> {:ok, map() | nil} | {:error, term()})) :: {:ok, map()} | {:error, term()}
  def new_labels(%{flags: flags}, current) do
    labels = Values.labels(flags[:label], flags[:name])

    cond do
      flags[:clear] && labels != %{} -> {:error, "--clear and labels are mutually exclusive"}
      flags[:clear] -> {:ok, %{}}
      labels == %{} -> {:error, "pass --label, --name or --clear"}
      flags[:label] -> {:ok, labels}
      true -> with {:ok, present} <- current.(), do: {:ok, Map.merge(present || %{}, labels)}
    end
  end

  @doc "Returns the labels that listed jobs have."
  @spec label_filters(Call.t()) :: {:ok, keyword()} | {:error, String.t()}
  def label_filters(%{flags: flags}) do
    case Enum.find(flags[:label] || [], &(not String.contains?(&1, "="))) do
      nil ->
        labels = Values.labels(flags[:label], flags[:name])
        {:ok, if(labels == %{}, do: [], else: [labels: labels])}

      text ->
        {:error, "expected --label as KEY=VALUE, got: #{text}"}
    end
  end

  @doc "Returns the id of a job without its namespace."
  @spec bare(String.t()) :: String.t()
  def bare(id), do: id |> String.split("/") |> List.last()

  @doc "Returns the stage of a job as the Hub writes it."
  @spec stage(map()) :: String.t()
  def stage(%{status: %{stage: stage}}), do: stage |> to_string() |> String.upcase()
  def stage(_unknown), do: "UNKNOWN"

  @doc "Returns a job as JSON."
  @spec json(struct()) :: Table.row()
  def json(job) do
    row = List.keyreplace(Json.row(job), "status", 0, {"status", Json.given(status(job))})

    if name = job.labels["name"], do: [{"name", name} | row], else: row
  end

  defp status(%{status: nil} = job), do: %{stage: stage(job)}
  defp status(%{status: status} = job), do: %{status | stage: stage(job)}

  @doc "Returns the row of a job, with the columns for people."
  @spec row(struct()) :: Table.row()
  def row(job) do
    replaced = ~w(command status)
    command = Enum.join(job.command || [], " ")

    [
      {"job_id", job.id},
      {"name", job.labels["name"] || "N/A"},
      {"image/space", job.docker_image || "N/A"},
      {"command", if(command == "", do: "N/A", else: command)},
      {"created", job.created_at && Calendar.strftime(job.created_at, "%Y-%m-%d %H:%M:%S")},
      {"status", stage(job)},
      {"runtime", runtime(job.durations)}
    ] ++ for {name, value} <- Json.row(job), name not in replaced, do: {name, value}
  end

  defp runtime(%{running_secs: seconds}) when is_number(seconds) do
    seconds = round(seconds)
    {hours, rest} = {div(seconds, 3600), rem(seconds, 3600)}
    parts = [{hours, "h"}, {div(rest, 60), "m"}, {rem(rest, 60), "s"}]

    Enum.map_join(parts, " ", fn {number, unit} -> "#{number}#{unit}" end)
    |> String.replace(~r/^(0[hm] )+/, "")
  end

  defp runtime(_unknown), do: "--"
end
