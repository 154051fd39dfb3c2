defmodule HfHub.Jobs do
  @moduledoc """
  Jobs: commands that run in containers on hardware of the Hub, which cost money while they run.

      {:ok, job} = HfHub.Jobs.run("python:3.12", ["python", "-c", "print(6 * 7)"])
      for line <- HfHub.Jobs.logs(job, follow: true), do: IO.puts(line)
      {:ok, %{status: %{stage: :completed}}} = HfHub.Jobs.wait(job)

  Functions about one job take its id, or a `HfHub.Jobs.JobInfo`, whose owner is the namespace unless `:namespace` is
  given. Jobs that run at set times are in `HfHub.ScheduledJobs`.
  """

  alias HfHub.{Account, Decode, Error, Options, Request}

  alias HfHub.Jobs.{
    Artifacts,
    Call,
    Events,
    JobHardware,
    JobInfo,
    JobMetrics,
    Position,
    Spec,
    Tables,
    Uv,
    Volume,
    Waiting
  }

  @type result :: {:ok, JobInfo.t()} | {:error, Error.t()}

  @doc """
  Starts a job that runs a command in an image, and returns it.

  The image is the name of a Docker image, or the URL of a Space, whose image is used.

  ## Options

  #{Options.docs(Tables.run())}

  ## Examples

      {:ok, job} =
        HfHub.Jobs.run("python:3.12", ["python", "-c", "print(6 * 7)"],
          flavor: :t4_small,
          job_timeout: "30m"
        )

      job.url
  """
  @doc python: "run_job"
  @spec run(String.t(), [String.t()], keyword()) :: result()
  def run(image, command, opts \\ []) do
    opts = Options.validate!(opts, Tables.run())
    start(Spec.new!(image, command, opts), opts)
  end

  @doc "Same as `run/3`, but returns the job or raises `HfHub.Error`."
  @spec run!(String.t(), [String.t()], keyword()) :: JobInfo.t()
  def run!(image, command, opts \\ []), do: Error.unwrap!(run(image, command, opts))

  @doc """
  Starts a job that runs a Python script with [uv](https://docs.astral.sh/uv/), and returns it.

  The script is the path of a file, a URL, or a command of a package. Files of this machine, also those among
  `:script_args`, are uploaded to the private bucket `jobs-artifacts` of the namespace, which the job mounts at `/data` and
  may write to.

  ## Options

  #{Options.docs(Tables.run_uv())}

  ## Examples

      {:ok, job} =
        HfHub.Jobs.run_uv("https://huggingface.co/acme/scripts/resolve/main/train.py",
          script_args: ["--epochs", "3"],
          dependencies: ["trl"],
          flavor: "a10g-small",
          secrets: %{"HF_TOKEN" => System.fetch_env!("HF_TOKEN")}
        )
  """
  @doc python: "run_uv_job"
  @spec run_uv(String.t(), keyword()) :: result()
  def run_uv(script, opts \\ []) do
    opts = Options.validate!(opts, Tables.run_uv())

    with {:ok, spec, namespace} <- Uv.spec(script, opts),
         do: start(spec, Keyword.put(opts, :namespace, namespace))
  end

  @doc "Same as `run_uv/2`, but returns the job or raises `HfHub.Error`."
  @spec run_uv!(String.t(), keyword()) :: JobInfo.t()
  def run_uv!(script, opts \\ []), do: Error.unwrap!(run_uv(script, opts))

  @doc """
  Uploads what is new or changed in a folder of this machine to the private bucket `jobs-artifacts` of the namespace, and
  returns a volume for the option `:volumes` of jobs.

  A job sees the files as they are at the time of the call. What a job has written, `HfHub.Buckets.sync/3` downloads from
  the `:source` and `:path` of the volume. A file `.keep` is uploaded for an empty folder.

  ## Options

  #{Options.docs(Tables.sync_volume())}

  ## Examples

      {:ok, volume} = HfHub.Jobs.sync_volume("training-data", "/data")
      {:ok, job} = HfHub.Jobs.run("python:3.12", ["ls", "/data"], volumes: [volume])
  """
  @doc python: "sync_job_volume"
  @spec sync_volume(Path.t(), String.t(), keyword()) :: {:ok, Volume.t()} | {:error, Error.t()}
  def sync_volume(folder, mount_path, opts \\ []),
    do: Artifacts.sync(folder, mount_path, Options.validate!(opts, Tables.sync_volume()))

  @doc "Same as `sync_volume/3`, but returns the volume or raises `HfHub.Error`."
  @spec sync_volume!(Path.t(), String.t(), keyword()) :: Volume.t()
  def sync_volume!(folder, mount_path, opts \\ []), do: Error.unwrap!(sync_volume(folder, mount_path, opts))

  defp start(spec, opts) do
    with {:ok, namespace} <- Account.name(opts[:namespace], opts) do
      :jobs
      |> Call.all(:post, namespace, opts)
      |> Request.json(spec)
      |> Request.hide(Map.values(opts[:secrets] || %{}))
      |> Request.run(Call.job(opts))
    end
  end

  @doc """
  Returns jobs, newest first.

  ## Options

  #{Options.docs(Tables.list())}

  ## Examples

      {:ok, jobs} =
        HfHub.Jobs.list(stages: [:scheduling, :running], labels: %{"team" => "nlp"}, limit: 10)
  """
  @doc python: "list_jobs"
  @spec list(keyword()) :: {:ok, [JobInfo.t()]} | {:error, Error.t()}
  def list(opts \\ []) do
    opts = Options.validate!(opts, Tables.list())
    with {:ok, request} <- jobs(opts), do: Request.list(request, opts[:limit], Call.job(opts))
  end

  @doc "Same as `list/1`, but returns the jobs or raises `HfHub.Error`."
  @spec list!(keyword()) :: [JobInfo.t()]
  def list!(opts \\ []), do: Error.unwrap!(list(opts))

  @doc """
  Returns the jobs of `list/1` as a lazy stream. Options: those of `list/1` but `:limit`.

  ## Examples

      HfHub.Jobs.stream() |> Enum.find(&(&1.labels["name"] == "nightly"))
  """
  @doc python: "list_jobs"
  @spec stream(keyword()) :: Enumerable.t()
  def stream(opts \\ []) do
    opts = Options.validate!(opts, Tables.stream())
    opts |> jobs() |> Error.unwrap!() |> Request.stream(Call.job(opts))
  end

  defp jobs(opts) do
    stages = for stage <- List.wrap(opts[:stages]), do: stage |> to_string() |> String.upcase()
    labels = for {name, value} <- opts[:labels] || %{}, do: "#{name}=#{value}"

    with {:ok, namespace} <- Account.name(opts[:namespace], opts),
         do: {:ok, :jobs |> Call.all(:get, namespace, opts) |> Request.query(stage: stages, label: labels)}
  end

  @doc """
  Returns a job.

  ## Options

  #{Options.docs(Tables.one())}

  ## Examples

      {:ok, %{status: %{stage: :running}}} = HfHub.Jobs.get("687fb701029421ae5549d998")
  """
  @doc python: "inspect_job"
  @spec get(String.t() | JobInfo.t(), keyword()) :: result()
  def get(job, opts \\ []) do
    opts = Options.validate!(opts, Tables.one())
    Call.simple(:jobs, :get, "", job, opts, Call.job(opts))
  end

  @doc "Same as `get/2`, but returns the job or raises `HfHub.Error`."
  @spec get!(String.t() | JobInfo.t(), keyword()) :: JobInfo.t()
  def get!(job, opts \\ []), do: Error.unwrap!(get(job, opts))

  @doc """
  Stops a job. Options: those of `get/2`.

  ## Examples

      :ok = HfHub.Jobs.cancel("687fb701029421ae5549d998")
  """
  @doc python: "cancel_job"
  @spec cancel(String.t() | JobInfo.t(), keyword()) :: :ok | {:error, Error.t()}
  def cancel(job, opts \\ []),
    do: Call.effect(:jobs, :post, "/cancel", job, Options.validate!(opts, Tables.one()))

  @doc "Same as `cancel/2`, but returns `:ok` or raises `HfHub.Error`."
  @spec cancel!(String.t() | JobInfo.t(), keyword()) :: :ok
  def cancel!(job, opts \\ []), do: Error.unwrap!(cancel(job, opts))

  @doc """
  Starts a job with the same specification, and returns the new job. Options: those of `get/2`.

  ## Examples

      {:ok, again} = HfHub.Jobs.rerun("687fb701029421ae5549d998")
  """
  @doc python: "rerun_job"
  @spec rerun(String.t() | JobInfo.t(), keyword()) :: result()
  def rerun(job, opts \\ []) do
    opts = Options.validate!(opts, Tables.one())
    Call.simple(:jobs, :post, "/duplicate", job, opts, Call.job(opts))
  end

  @doc "Same as `rerun/2`, but returns the job or raises `HfHub.Error`."
  @spec rerun!(String.t() | JobInfo.t(), keyword()) :: JobInfo.t()
  def rerun!(job, opts \\ []), do: Error.unwrap!(rerun(job, opts))

  @doc """
  Replaces the labels of a job, and returns it. Options: those of `get/2`.

  ## Examples

      {:ok, job} = HfHub.Jobs.update_labels("687fb701029421ae5549d998", %{"team" => "nlp"})
  """
  @doc python: "update_job_labels"
  @spec update_labels(String.t() | JobInfo.t(), map() | keyword(), keyword()) :: result()
  def update_labels(job, labels, opts \\ []) do
    opts = Options.validate!(opts, Tables.one())
    Call.change(:jobs, :put, "/labels", %{labels: Call.labels!(labels)}, job, opts, Call.job(opts))
  end

  @doc "Same as `update_labels/3`, but returns the job or raises `HfHub.Error`."
  @spec update_labels!(String.t() | JobInfo.t(), map() | keyword(), keyword()) :: JobInfo.t()
  def update_labels!(job, labels, opts \\ []), do: Error.unwrap!(update_labels(job, labels, opts))

  @doc """
  Replaces the ports of a job that can be reached by URL, and returns it. Without ports, none can be.

  ## Options

  #{Options.docs(Tables.expose())}

  ## Examples

      {:ok, job} =
        HfHub.Jobs.update_expose("687fb701029421ae5549d998", expose: [8000], expose_public: [9000])

      job.status.expose_urls
  """
  @doc python: "update_job_expose"
  @spec update_expose(String.t() | JobInfo.t(), keyword()) :: result()
  def update_expose(job, opts \\ []) do
    opts = Options.validate!(opts, Tables.expose())
    Call.change(:jobs, :put, "/expose", Spec.expose!(opts), job, opts, Call.job(opts))
  end

  @doc "Same as `update_expose/2`, but returns the job or raises `HfHub.Error`."
  @spec update_expose!(String.t() | JobInfo.t(), keyword()) :: JobInfo.t()
  def update_expose!(job, opts \\ []), do: Error.unwrap!(update_expose(job, opts))

  @doc """
  Waits until a job has ended, or is in one of the given stages, and returns it. `:timeout` limits the time.

  A job that failed is no error: its stage is `:error`. Of a list of jobs, all are waited for, and returned in its order.

  ## Options

  #{Options.docs(Tables.wait())}

  ## Examples

      {:ok, %{status: %{stage: :completed}}} = HfHub.Jobs.wait(job, timeout: 600_000)
      {:ok, [_first, _second]} = HfHub.Jobs.wait([first, second])
      {:ok, job} = HfHub.Jobs.wait(job, stages: :running)
  """
  @doc python: "wait_for_job"
  @spec wait(String.t() | JobInfo.t() | [String.t() | JobInfo.t()], keyword()) ::
          {:ok, JobInfo.t() | [JobInfo.t()]} | {:error, Error.t()}
  def wait(jobs, opts \\ []), do: Waiting.run(jobs, Options.validate!(opts, Tables.wait()))

  @doc "Same as `wait/2`, but returns the job or the jobs, or raises `HfHub.Error`."
  @spec wait!(String.t() | JobInfo.t() | [String.t() | JobInfo.t()], keyword()) :: JobInfo.t() | [JobInfo.t()]
  def wait!(jobs, opts \\ []), do: Error.unwrap!(wait(jobs, opts))

  @doc """
  Returns a lazy stream of the lines in the log of a job, without line breaks. It raises `HfHub.Error`. A broken
  connection is opened again after the last line; halting the stream closes it.

  ## Options

  #{Options.docs(Tables.logs())}

  ## Examples

      HfHub.Jobs.logs(job, follow: true) |> Enum.each(&IO.puts/1)
      HfHub.Jobs.logs(job, tail: 20) |> Enum.to_list()
  """
  @doc python: "fetch_job_logs"
  @spec logs(String.t() | JobInfo.t(), keyword()) :: Enumerable.t()
  def logs(job, opts \\ []) do
    opts = Options.validate!(opts, Tables.logs())
    quiet = unless opts[:follow], do: opts[:quiet]

    job
    |> Events.stream(opts, route: "/logs", position: Position.first(opts[:tail]), quiet: quiet)
    |> Stream.flat_map(&line/1)
  end

  defp line(%{"data" => "===== Job started" <> _time}), do: []
  defp line(%{"data" => line}) when is_binary(line), do: [line]
  defp line(_other), do: []

  @doc """
  Returns a lazy stream of `HfHub.Jobs.JobMetrics`, what a job uses. It raises `HfHub.Error`. The stream of a job that
  does not run is empty.

  ## Options

  #{Options.docs(Tables.metrics())}

  ## Examples

      [now] = HfHub.Jobs.metrics(job) |> Enum.to_list()
      HfHub.Jobs.metrics(job, follow: true) |> Stream.map(& &1.memory_used_bytes) |> Enum.max()
  """
  @doc python: "fetch_job_metrics"
  @spec metrics(String.t() | JobInfo.t(), keyword()) :: Enumerable.t()
  def metrics(job, opts \\ []) do
    opts = Options.validate!(opts, Tables.metrics())
    # The Hub sends a sample each second, and these statuses if the job has ended.
    source = [route: "/metrics", position: :live, quiet: 10_000, tolerated: [406, 500]]
    samples = job |> Events.stream(opts, source) |> Stream.map(&Decode.response!(JobMetrics, &1))
    if opts[:follow], do: samples, else: Stream.take(samples, 1)
  end

  @doc """
  Returns the hardware for jobs, with prices.

  ## Options

  #{Options.docs(Options.common())}

  ## Examples

      {:ok, hardware} = HfHub.Jobs.list_hardware()
      for %{accelerator: %{model: "A10G"}} = unit <- hardware, do: {unit.name, unit.unit_cost_usd}
  """
  @doc python: "list_jobs_hardware"
  @spec list_hardware(keyword()) :: {:ok, [JobHardware.t()]} | {:error, Error.t()}
  def list_hardware(opts \\ []) do
    opts = Options.validate!(opts, Options.common())

    Request.new(:get, "/api/jobs/hardware", [], opts)
    |> Request.plain()
    |> Request.run([JobHardware])
  end

  @doc "Same as `list_hardware/1`, but returns the hardware or raises `HfHub.Error`."
  @spec list_hardware!(keyword()) :: [JobHardware.t()]
  def list_hardware!(opts \\ []), do: Error.unwrap!(list_hardware(opts))
end
