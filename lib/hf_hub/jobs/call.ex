defmodule HfHub.Jobs.Call do
  # The requests of `HfHub.Jobs` and `HfHub.ScheduledJobs`.
  @moduledoc false

  alias HfHub.{Account, Config, Decode, Error, Options, Request}
  alias HfHub.Jobs.JobInfo
  alias HfHub.Request.Place

  @type kind :: :jobs | :scheduled_jobs
  @type place :: {String.t(), String.t()}

  @bases [jobs: "/api/jobs", scheduled_jobs: "/api/scheduled-jobs"]

  @doc "Returns the namespace and the id of a job: of an id, of `namespace/id`, or of a struct with an owner."
  @spec place(String.t() | struct(), keyword()) :: {:ok, place()} | {:error, Error.t()}
  def place(%{id: id, owner: owner}, opts),
    do: place(id, Keyword.put(opts, :namespace, opts[:namespace] || name(owner)))

  def place(text, opts) when is_binary(text) do
    case {String.split(text, "/"), opts[:namespace]} do
      {[id], namespace} ->
        with {:ok, namespace} <- Account.name(namespace, opts), do: {:ok, {namespace, id}}

      {[owner, id], given} when given in [nil, owner] and "" not in [owner, id] ->
        {:ok, {owner, id}}

      {[_owner, _id], given} when given != nil ->
        invalid(text, "one of the namespace #{Options.shown(given)}")

      {_other, _namespace} ->
        invalid(text, "its id, or the namespace and the id with a slash")
    end
  end

  def place(other, _opts), do: invalid(other, "its id as a string, or its struct")

  defp invalid(job, expected),
    do: {:error, Error.new(:invalid_name, "invalid job #{Options.shown(job)}: expected #{expected}")}

  defp name(%{name: name}), do: name
  defp name(_unknown), do: nil

  @doc "Returns a request to the jobs of a namespace."
  @spec all(kind(), atom(), String.t(), keyword()) :: Request.t()
  def all(kind, method, namespace, opts),
    do: request(kind, method, "/:namespace", [namespace: namespace], opts)

  @doc "Returns a request about one job, or to do something with it."
  @spec one(kind(), atom(), String.t(), place(), keyword()) :: Request.t()
  def one(kind, method, action \\ "", {namespace, id}, opts),
    do: request(kind, method, "/:namespace/:id" <> action, [namespace: namespace, id: id], opts)

  defp request(kind, method, route, params, opts),
    do: method |> Request.new(@bases[kind] <> route, params, opts) |> Request.plain()

  @doc "Sends a request about one job, with options of `HfHub.Jobs.get/2`, and returns the decoded response."
  @spec simple(kind(), atom(), String.t(), String.t() | struct(), keyword(), (term() -> value)) ::
          {:ok, value} | {:error, Error.t()}
        when value: term()
  def simple(kind, method, action, job, opts, decode) do
    with {:ok, place} <- place(job, opts),
         do: kind |> one(method, action, place, opts) |> Request.run(decode) |> about(kind, place)
  end

  @doc "Sends a request about one job that may be sent again, and ignores the response."
  @spec effect(kind(), atom(), String.t(), String.t() | struct(), keyword()) :: :ok | {:error, Error.t()}
  def effect(kind, method, action, job, opts) do
    with {:ok, place} <- place(job, opts) do
      request = kind |> one(method, action, place, opts) |> Request.repeatable()
      request |> Request.effect() |> about(kind, place)
    end
  end

  @doc "Sends a body about one job, which may be sent again, and returns the decoded response."
  @spec change(kind(), atom(), String.t(), map(), String.t() | struct(), keyword(), (term() -> value)) ::
          {:ok, value} | {:error, Error.t()}
        when value: term()
  def change(kind, method, action, body, job, opts, decode) do
    with {:ok, place} <- place(job, opts) do
      request = kind |> one(method, action, place, opts) |> Request.json(body) |> Request.repeatable()
      request |> Request.run(decode) |> about(kind, place)
    end
  end

  @doc "Names the job in the error of a request."
  @spec about(result, kind(), place()) :: result when result: :ok | {:ok, term()} | {:error, Error.t()}
  def about(result, :jobs, place), do: Place.missing(result, "job", place)
  def about(result, :scheduled_jobs, place), do: Place.missing(result, "scheduled job", place)

  @doc "Returns a function that decodes jobs, with the addresses of their pages."
  @spec job(keyword()) :: (term() -> JobInfo.t())
  def job(opts) do
    endpoint = String.trim_trailing(opts[:endpoint] || Config.endpoint(), "/")

    fn json ->
      case Decode.struct(JobInfo, json) do
        %{owner: %{name: owner}} = job when is_binary(owner) ->
          %{job | url: "#{endpoint}/jobs/#{owner}/#{job.id}"}

        job ->
          job
      end
    end
  end

  @doc "Returns whether a job has ended."
  @spec ended?(JobInfo.t()) :: boolean()
  def ended?(%{status: %{stage: stage}}), do: stage in [:completed, :canceled, :error, :deleted]
  def ended?(_unknown), do: false

  @doc "Returns labels as a map of texts. Raises `ArgumentError` if they are not labels."
  @spec labels!(term()) :: %{String.t() => String.t()}
  def labels!(labels) do
    labels = Options.validate!([labels: labels], labels: [type: :variables, required: true])[:labels]

    for {name, value} <- labels, not (value =~ ~r/\A[a-zA-Z0-9._-]{0,100}\z/) do
      raise ArgumentError,
            "expected the label #{inspect(name)} to be at most 100 letters, digits, \".\", \"_\" and \"-\", got: #{Options.shown(value)}"
    end

    labels
  end
end
