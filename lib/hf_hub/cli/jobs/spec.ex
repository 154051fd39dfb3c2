defmodule HfHub.CLI.Jobs.Spec do
  # What commands about jobs have in common: flags of a job, options from them, and rows of tables.
  @moduledoc false

  alias HfHub.CLI.{Call, Command, Json, Table, Values}

  @doc "Returns the flags of a new job."
  @spec flags() :: Command.rules()
  def flags do
    Values.flags() ++
      Values.volume_flag() ++
      [
        name: [type: :string, doc: "Name of the job"],
        label: [type: {:list, :string}, short: "l", doc: "Label, as `KEY=VALUE`"],
        flavor: [type: :string, doc: "Hardware, such as `t4-small`. Defaults to `cpu-basic`"],
        job_timeout: [type: :string, names: ["timeout"], doc: "Maximum duration of the job, such as `30m`"],
        expose: [type: {:list, :integer}, doc: "Port to reach by URL"],
        resource_group_id: [type: :string, doc: "Id of the resource group of an Enterprise organization"]
      ]
  end

  @doc "Returns the flags of a job that runs at once."
  @spec attached() :: Command.rules()
  def attached do
    [
      detach: [type: :boolean, short: "d", doc: "Prints the id, and does not wait for the job"],
      ssh: [type: :boolean, doc: "Allows SSH into the container"]
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

  @doc "Returns the options of a new job."
  @spec options(Call.t()) :: keyword()
  def options(%{flags: flags} = call) do
    maps = [
      env: Values.variables(flags[:env], flags[:env_file]),
      secrets: Values.secrets(flags[:secrets], flags[:secrets_file]),
      labels: Values.labels(flags[:label], nil)
    ]

    volumes = if flags[:volume], do: [volumes: Values.volumes(flags.volume)], else: []
    names = ~w(name flavor job_timeout expose resource_group_id ssh namespace suspend concurrency)a
    for({name, value} when value != %{} <- maps, do: {name, value}) ++ volumes ++ Call.options(call, names)
  end

  @doc "Returns the options of a Python script."
  @spec uv_options(Call.t()) :: keyword()
  def uv_options(call),
    do:
      ([script_args: call.args.script_args] ++ Call.options(call, [:image, :python, {:with, :dependencies}]))
      |> merged(call)

  # The hub's options are in both.
  defp merged(opts, call), do: Keyword.merge(opts, options(call))

  @doc "Returns the labels that replace those of a job."
  @spec new_labels(Call.t()) :: {:ok, map()} | {:error, String.t()}
  def new_labels(%{flags: flags}) do
    labels = Values.labels(flags[:label], flags[:name])

    cond do
      flags[:clear] && labels != %{} -> {:error, "--clear and labels are mutually exclusive"}
      flags[:clear] || labels != %{} -> {:ok, labels}
      true -> {:error, "pass --label, --name or --clear"}
    end
  end

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
