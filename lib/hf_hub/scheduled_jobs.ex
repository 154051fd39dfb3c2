defmodule HfHub.ScheduledJobs do
  @moduledoc """
  Jobs that start at set times; see `HfHub.Jobs`.

      {:ok, scheduled} =
        HfHub.ScheduledJobs.create("python:3.12", ["python", "-m", "report"], schedule: "@daily")

      scheduled.status.next_job_run_at

  Functions about one scheduled job take its id, or a `HfHub.ScheduledJobs.ScheduledJobInfo`, whose owner is the
  namespace unless `:namespace` is given.
  """

  alias HfHub.{Account, Decode, Error, Options, Request}
  alias HfHub.Jobs.{Call, JobInfo, Spec, Tables, Uv}
  alias HfHub.ScheduledJobs.{Schedule, ScheduledJobInfo}

  @type id :: String.t() | ScheduledJobInfo.t()
  @type result :: {:ok, ScheduledJobInfo.t()} | {:error, Error.t()}

  @doc """
  Schedules a command that runs in an image, and returns the scheduled job.

  The image is the name of a Docker image, or the URL of a Space, whose image is used.

  ## Options

  #{Options.docs(Tables.create())}

  ## Examples

      {:ok, scheduled} =
        HfHub.ScheduledJobs.create("hf.co/spaces/acme/report", ["python", "report.py"],
          schedule: "0 9 * * 1"
        )
  """
  @doc python: "create_scheduled_job"
  @spec create(String.t(), [String.t()], keyword()) :: result()
  def create(image, command, opts) do
    opts = Options.validate!(opts, Tables.create())
    schedule(Spec.new!(image, command, opts), opts)
  end

  @doc "Same as `create/3`, but returns the scheduled job or raises `HfHub.Error`."
  @spec create!(String.t(), [String.t()], keyword()) :: ScheduledJobInfo.t()
  def create!(image, command, opts), do: Error.unwrap!(create(image, command, opts))

  @doc """
  Schedules a Python script that runs with [uv](https://docs.astral.sh/uv/), and returns the scheduled job.

  The script is the path of a file, a URL, or a command of a package, as in `HfHub.Jobs.run_uv/2`.

  ## Options

  #{Options.docs(Tables.create_uv())}

  ## Examples

      {:ok, scheduled} =
        HfHub.ScheduledJobs.create_uv("https://huggingface.co/acme/scripts/resolve/main/report.py",
          schedule: "@hourly"
        )
  """
  @doc python: "create_scheduled_uv_job"
  @spec create_uv(String.t(), keyword()) :: result()
  def create_uv(script, opts) do
    opts = Options.validate!(opts, Tables.create_uv())
    # Before files are uploaded.
    Schedule.check!(opts[:schedule])

    with {:ok, spec, namespace} <- Uv.spec(script, opts),
         do: schedule(spec, Keyword.put(opts, :namespace, namespace))
  end

  @doc "Same as `create_uv/2`, but returns the scheduled job or raises `HfHub.Error`."
  @spec create_uv!(String.t(), keyword()) :: ScheduledJobInfo.t()
  def create_uv!(script, opts), do: Error.unwrap!(create_uv(script, opts))

  defp schedule(spec, opts) do
    body = %{
      jobSpec: spec,
      schedule: Schedule.check!(opts[:schedule]),
      suspend: opts[:suspend],
      concurrency: opts[:concurrency]
    }

    with {:ok, namespace} <- Account.name(opts[:namespace], opts) do
      :scheduled_jobs
      |> Call.all(:post, namespace, opts)
      |> Request.json(body)
      |> Request.hide(Map.values(opts[:secrets] || %{}))
      |> Request.run(ScheduledJobInfo)
    end
  end

  @doc """
  Returns the scheduled jobs of a user or an organization.

  ## Options

  #{Options.docs(Tables.scheduled())}

  ## Examples

      {:ok, scheduled} = HfHub.ScheduledJobs.list(labels: %{"team" => "nlp"})
      for %{suspend: false} = job <- scheduled, do: job.status.next_job_run_at
  """
  @doc python: "list_scheduled_jobs"
  @spec list(keyword()) :: {:ok, [ScheduledJobInfo.t()]} | {:error, Error.t()}
  def list(opts \\ []) do
    opts = Options.validate!(opts, Tables.scheduled())
    labels = opts[:labels] || %{}
    # The route takes one label.
    label = for {name, value} <- Enum.take(labels, 1), do: "#{name}=#{value}"

    with {:ok, namespace} <- Account.name(opts[:namespace], opts),
         request = :scheduled_jobs |> Call.all(:get, namespace, opts) |> Request.query(label: label),
         {:ok, jobs} <- Request.run(request, [ScheduledJobInfo]),
         do: {:ok, Enum.filter(jobs, &labelled?(&1, labels))}
  end

  @doc "Same as `list/1`, but returns the scheduled jobs or raises `HfHub.Error`."
  @spec list!(keyword()) :: [ScheduledJobInfo.t()]
  def list!(opts \\ []), do: Error.unwrap!(list(opts))

  defp labelled?(_job, labels) when labels == %{}, do: true
  defp labelled?(%{job_spec: %{labels: %{} = found}}, labels), do: Map.take(found, Map.keys(labels)) == labels
  defp labelled?(_job, _labels), do: false

  @doc """
  Returns a scheduled job.

  ## Options

  #{Options.docs(Tables.one())}

  ## Examples

      {:ok, %{suspend: false, schedule: "@daily"}} =
        HfHub.ScheduledJobs.get("687fb701029421ae5549d999")
  """
  @doc python: "inspect_scheduled_job"
  @spec get(id(), keyword()) :: result()
  def get(job, opts \\ []) do
    opts = Options.validate!(opts, Tables.one())
    Call.simple(:scheduled_jobs, :get, "", job, opts, Decode.to(ScheduledJobInfo))
  end

  @doc "Same as `get/2`, but returns the scheduled job or raises `HfHub.Error`."
  @spec get!(id(), keyword()) :: ScheduledJobInfo.t()
  def get!(job, opts \\ []), do: Error.unwrap!(get(job, opts))

  @doc """
  Deletes a scheduled job. Jobs that have started are not affected. Options: those of `get/2`.

  ## Examples

      :ok = HfHub.ScheduledJobs.delete("687fb701029421ae5549d999")
  """
  @doc python: "delete_scheduled_job"
  @spec delete(id(), keyword()) :: :ok | {:error, Error.t()}
  def delete(job, opts \\ []), do: effect(:delete, "", job, opts)

  @doc "Same as `delete/2`, but returns `:ok` or raises `HfHub.Error`."
  @spec delete!(id(), keyword()) :: :ok
  def delete!(job, opts \\ []), do: Error.unwrap!(delete(job, opts))

  @doc """
  Suspends a scheduled job: no job starts until `resume/2`. Options: those of `get/2`.

  ## Examples

      :ok = HfHub.ScheduledJobs.suspend("687fb701029421ae5549d999")
  """
  @doc python: "suspend_scheduled_job"
  @spec suspend(id(), keyword()) :: :ok | {:error, Error.t()}
  def suspend(job, opts \\ []), do: effect(:post, "/suspend", job, opts)

  @doc "Same as `suspend/2`, but returns `:ok` or raises `HfHub.Error`."
  @spec suspend!(id(), keyword()) :: :ok
  def suspend!(job, opts \\ []), do: Error.unwrap!(suspend(job, opts))

  @doc """
  Resumes a scheduled job that was suspended. Options: those of `get/2`.

  ## Examples

      :ok = HfHub.ScheduledJobs.resume("687fb701029421ae5549d999")
  """
  @doc python: "resume_scheduled_job"
  @spec resume(id(), keyword()) :: :ok | {:error, Error.t()}
  def resume(job, opts \\ []), do: effect(:post, "/resume", job, opts)

  @doc "Same as `resume/2`, but returns `:ok` or raises `HfHub.Error`."
  @spec resume!(id(), keyword()) :: :ok
  def resume!(job, opts \\ []), do: Error.unwrap!(resume(job, opts))

  defp effect(method, action, job, opts),
    do: Call.effect(:scheduled_jobs, method, action, job, Options.validate!(opts, Tables.one()))

  @doc """
  Starts a job of a scheduled job now, and returns the job. Options: those of `get/2`.

  If a job still runs and `:concurrency` is off, the error is of kind `:conflict`.

  ## Examples

      {:ok, job} = HfHub.ScheduledJobs.trigger("687fb701029421ae5549d999")
      HfHub.Jobs.logs(job, follow: true) |> Enum.each(&IO.puts/1)
  """
  @doc python: "trigger_scheduled_job"
  @spec trigger(id(), keyword()) :: {:ok, JobInfo.t()} | {:error, Error.t()}
  def trigger(job, opts \\ []) do
    opts = Options.validate!(opts, Tables.one())
    Call.simple(:scheduled_jobs, :post, "/run", job, opts, Call.job(opts))
  end

  @doc "Same as `trigger/2`, but returns the job or raises `HfHub.Error`."
  @spec trigger!(id(), keyword()) :: JobInfo.t()
  def trigger!(job, opts \\ []), do: Error.unwrap!(trigger(job, opts))

  @doc """
  Replaces the labels of the jobs of a scheduled job, and returns it. Options: those of `get/2`.

  ## Examples

      {:ok, scheduled} =
        HfHub.ScheduledJobs.update_labels("687fb701029421ae5549d999", %{"team" => "nlp"})
  """
  @doc python: "update_scheduled_job_labels"
  @spec update_labels(id(), map() | keyword(), keyword()) :: result()
  def update_labels(job, labels, opts \\ []),
    do: change(:put, "/labels", %{labels: Call.labels!(labels)}, job, opts)

  @doc "Same as `update_labels/3`, but returns the scheduled job or raises `HfHub.Error`."
  @spec update_labels!(id(), map() | keyword(), keyword()) :: ScheduledJobInfo.t()
  def update_labels!(job, labels, opts \\ []), do: Error.unwrap!(update_labels(job, labels, opts))

  @doc """
  Replaces the schedule of a scheduled job, and returns it. The schedule is one of `create/3`; options: those of `get/2`.

  ## Examples

      {:ok, scheduled} = HfHub.ScheduledJobs.update_schedule("687fb701029421ae5549d999", "0 9 * * 1")
  """
  @doc python: "update_scheduled_job_schedule"
  @spec update_schedule(id(), String.t(), keyword()) :: result()
  def update_schedule(job, schedule, opts \\ []),
    do: change(:post, "/schedule", %{schedule: Schedule.check!(schedule)}, job, opts)

  @doc "Same as `update_schedule/3`, but returns the scheduled job or raises `HfHub.Error`."
  @spec update_schedule!(id(), String.t(), keyword()) :: ScheduledJobInfo.t()
  def update_schedule!(job, schedule, opts \\ []), do: Error.unwrap!(update_schedule(job, schedule, opts))

  defp change(method, action, body, job, opts) do
    opts = Options.validate!(opts, Tables.one())
    Call.change(:scheduled_jobs, method, action, body, job, opts, Decode.to(ScheduledJobInfo))
  end
end
