defmodule HfHub.CLI.Jobs do
  # Jobs: commands that run in containers on the Hub's hardware.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI.{Call, Command, Output, Ssh, Values}
  alias HfHub.CLI.Jobs.{Scheduled, Spec, Stats, Summary}
  alias HfHub.Jobs

  @id [job_id: [doc: "Id of the job, or `namespace/id`"]]
  @ids [job_ids: [type: {:list, :string}, doc: "Ids of jobs, or `namespace/id`"]]

  @impl true
  def noun, do: [name: "jobs", summary: "Runs jobs on the hardware of the Hub"]

  @impl true
  def commands do
    [
      command(["run"], &run/1,
        summary: "Runs a command in a container, and prints its log",
        args: [
          image: [doc: "Docker image, or URL of a Space"],
          command: [type: {:list, :string}, doc: "Command with its arguments; options come before the image"]
        ],
        flags: Spec.flags() ++ Spec.attached(),
        rest: true,
        examples: [
          ~s|python:3.12 python -c 'print("Hello")'|,
          "--flavor t4-small --detach --secrets HF_TOKEN IMAGE train.sh"
        ]
      ),
      command(["uv", "run"], &run_uv/1,
        summary: "Runs a Python script with uv, and prints its log",
        args: [
          script: [complete: :file, doc: "Script, its URL, or a command"],
          script_args: [type: {:list, :string}, required: false, doc: "Arguments of the script"]
        ],
        flags: Spec.uv_flags() ++ Spec.flags() ++ Spec.attached(),
        rest: true
      ),
      command(["logs"], &logs/1,
        summary: "Prints the log of a job",
        args: @id,
        flags: [
          follow: [type: :boolean, short: "f", doc: "Waits for new lines until the job has ended"],
          tail: [type: :integer, short: "n", doc: "Number of the last lines to begin with"]
        ]
      ),
      command(["list"], &list/1,
        summary: "Lists jobs that run or wait",
        aliases: ["ls", "ps"],
        flags: [
          all: [type: :boolean, short: "a", doc: "Includes jobs that have ended"],
          status: [type: {:list, :string}, doc: "Stages of the jobs, such as `running,scheduling`"],
          label: [type: {:list, :string}, short: "l", doc: "Label of the jobs, as `KEY=VALUE`"],
          name: [type: :string, doc: "Name of the jobs"],
          limit: [type: :integer, default: 100, doc: "Maximum number of results; 0 is all"]
        ]
      ),
      command(["inspect"], &show/1, summary: "Shows jobs", args: @ids),
      command(["rerun"], &rerun/1,
        summary: "Runs a job again, and prints its log",
        args: @id,
        flags: Keyword.take(Spec.attached(), [:detach])
      ),
      command(["expose"], &expose/1,
        summary: "Replaces the ports of a job that can be reached by URL",
        args: @id ++ [ports: [type: {:list, :integer}, required: false, doc: "Ports to reach with a token"]],
        flags: [
          public: [type: {:list, :integer}, doc: "Port to reach without a token"],
          clear: [type: :boolean, doc: "Closes all ports"]
        ]
      ),
      command(["stats"], &Stats.run/1,
        summary: "Shows what jobs use of their processors, memory, network and GPUs",
        args: [
          job_ids: [type: {:list, :string}, required: false, doc: "Ids of jobs. Defaults to all that run"]
        ],
        flags: [follow: [type: :boolean, short: "f", doc: "Shows it until the jobs have ended"]]
      ),
      command(["ssh"], &ssh/1,
        summary: "Connects to the container of a job",
        details:
          "The job must have been started with `--ssh`, and your public key be registered at " <>
            "https://huggingface.co/settings/keys. A job that waits is waited for.",
        args: @id,
        flags: Ssh.flags()
      ),
      command(["cancel"], &cancel/1, summary: "Cancels a job", args: @id),
      command(["wait"], &wait/1,
        summary: "Waits until jobs have ended",
        details: "The exit status is 1 if a job was cancelled or failed.",
        args: @ids,
        flags: [timeout: [type: :string, doc: "Maximum time to wait, such as `30m`. Defaults to no limit"]]
      ),
      command(["labels"], &labels/1,
        summary: "Replaces the labels of a job",
        details: "`--name` alone leaves the other labels as they are.",
        args: @id,
        flags: Spec.label_flags()
      ),
      command(["hardware"], &hardware/1,
        summary: "Lists the hardware for jobs, with its costs",
        namespace: false
      )
    ] ++ Scheduled.commands()
  end

  @doc "Returns a command of this noun."
  @spec command([String.t()], (Call.t() -> Output.shown()), keyword()) :: Command.t()
  def command(words, run, fields) do
    {namespace?, fields} = Keyword.pop(fields, :namespace, true)
    flags = Keyword.get(fields, :flags, []) ++ if(namespace?, do: Spec.namespace(), else: [])

    fields =
      [words: words, run: run, hf: Enum.join(["jobs" | words], " ")] ++ Keyword.put(fields, :flags, flags)

    struct!(Command, fields)
  end

  defp run(%{flags: %{dry_run: true}} = call), do: Summary.shown(call)

  defp run(%{args: %{image: image, command: command}} = call) do
    with {:ok, opts} <- Spec.options(call), do: image |> Jobs.run(command, opts) |> started(call)
  end

  defp run_uv(%{flags: %{dry_run: true}} = call), do: Summary.shown(call)

  defp run_uv(call) do
    with {:ok, opts} <- Spec.uv_options(call), do: call.args.script |> Jobs.run_uv(opts) |> started(call)
  end

  defp rerun(call), do: call |> id() |> Jobs.rerun(Call.options(call, [:namespace])) |> started(call)

  defp started({:ok, job}, call) do
    done = {:done, "Job started", id: job.id, name: job.labels["name"], url: job.url}

    if call.flags[:detach] do
      done
    else
      # Before the log, which takes as long as the job.
      Output.show(done, call.output)
      ended(job, call)
    end
  end

  defp started(failed, _call), do: failed

  # The log goes to stderr where stdout is for a program.
  defp ended(job, call) do
    opts = Call.options(call, [:namespace])
    for line <- Jobs.logs(job, [follow: true] ++ opts), do: line(line, call.output)
    with {:ok, final} <- Jobs.wait(job, opts), do: outcome(final)
  end

  defp line(line, %{mode: mode}) when mode in [:json, :quiet], do: line |> Output.log_line() |> Output.note()
  defp line(line, output), do: Output.show({:lines, [line]}, output)

  defp outcome(%{status: %{stage: :completed}} = job), do: {:note, "Job #{job.id} completed"}
  defp outcome(job), do: {:error, "job #{job.id} ended with #{Spec.stage(job)}"}

  defp logs(call), do: {:lines, Jobs.logs(id(call), Call.options(call, [:namespace, :follow, :tail]))}

  defp id(call), do: call.args.job_id

  @columns ["job_id", "name", "image/space", "command", "created", "status", "runtime"]

  defp list(%{flags: %{all: true, status: _stages}}),
    do: {:error, "--all and --status are mutually exclusive"}

  defp list(%{flags: flags} = call) do
    stages = stages(flags)
    limit = if flags.limit > 0, do: [limit: flags.limit], else: []
    opts = if(stages, do: [stages: stages], else: []) ++ limit ++ Call.options(call, [:namespace])

    with {:ok, labels} <- Spec.label_filters(call),
         {:ok, found} <- Jobs.list(labels ++ opts),
         do: {:table, Enum.map(found, &(Spec.row(&1) ++ endpoint(call))), id: "job_id", columns: @columns}
  end

  # As in the objects of the Python client.
  defp endpoint(call), do: [{"endpoint", Call.endpoint(call)}]

  defp stages(%{status: texts}) do
    for text <- texts, stage <- String.split(text, ","), do: stage |> String.trim() |> String.downcase()
  end

  defp stages(%{all: true}), do: nil
  defp stages(_active), do: ["running", "scheduling"]

  defp show(call) do
    opts = Call.options(call, [:namespace])

    with {:ok, jobs} <- Call.each(call.args.job_ids, &Jobs.get(&1, opts)),
         do: {:table, Enum.map(jobs, &(Spec.json(&1) ++ endpoint(call))), id: "id"}
  end

  defp cancel(call) do
    with :ok <- Jobs.cancel(id(call), Call.options(call, [:namespace])),
         do: {:done, "Job cancelled", id: Spec.bare(id(call))}
  end

  defp wait(call) do
    timeout = if call.flags[:timeout], do: [timeout: Values.duration(call.flags.timeout)], else: []

    with {:ok, jobs} <- Jobs.wait(call.args.job_ids, timeout ++ Call.options(call, [:namespace])) do
      rows =
        for job <- jobs,
            do: [{"id", job.id}, {"stage", Spec.stage(job)}, {"message", job.status && job.status.message}]

      status = if Enum.all?(jobs, &match?(%{status: %{stage: :completed}}, &1)), do: 0, else: 1
      {:exit, status, {:table, rows, id: "id"}}
    end
  end

  defp labels(call) do
    opts = Call.options(call, [:namespace])
    current = fn -> with {:ok, job} <- Jobs.get(id(call), opts), do: {:ok, job.labels} end

    with {:ok, labels} <- Spec.new_labels(call, current),
         {:ok, job} <- Jobs.update_labels(id(call), labels, opts),
         do: {:done, "Labels updated", id: job.id, name: labels["name"]}
  end

  defp expose(%{args: %{ports: ports}, flags: flags} = call) do
    public = flags[:public] || []

    cond do
      flags[:clear] && ports ++ public != [] ->
        {:error, "--clear and ports are mutually exclusive"}

      !flags[:clear] && ports ++ public == [] ->
        {:error, "pass PORTS, --public or --clear"}

      true ->
        opts = [expose: ports, expose_public: public] ++ Call.options(call, [:namespace])

        with {:ok, job} <- Jobs.update_expose(id(call), opts) do
          {:done, "Exposed ports updated",
           id: job.id, ports: job.expose || [], public_ports: job.expose_public || []}
        end
    end
  end

  defp ssh(call) do
    opts = Call.options(call, [:namespace])

    with {:ok, job} <- Jobs.get(id(call), opts),
         {:ok, job} <- running(job, opts),
         address = URI.parse(job.status.ssh_url),
         do: Ssh.connect(call, address.userinfo, address.host, address.port)
  end

  defp running(%{status: %{ssh_url: nil}} = job, _opts),
    do: {:error, "job #{job.id} has no SSH; start jobs with jobs run --ssh"}

  defp running(%{status: %{stage: :running}} = job, _opts), do: {:ok, job}

  defp running(job, opts) do
    Output.note("Waiting for job #{job.id} (#{Spec.stage(job)})")

    case Jobs.wait(job, [stages: [:running]] ++ opts) do
      {:ok, %{status: %{stage: :running}} = job} -> {:ok, job}
      {:ok, job} -> {:error, "job #{job.id} has ended with #{Spec.stage(job)}"}
      failed -> failed
    end
  end

  defp hardware(call) do
    with {:ok, list} <- Jobs.list_hardware(Call.options(call)) do
      rows = for kind <- list, do: Values.hardware(kind, [{"storage", kind.ephemeral_storage}])
      {:table, rows, id: "name"}
    end
  end
end
