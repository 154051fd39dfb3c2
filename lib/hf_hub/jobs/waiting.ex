defmodule HfHub.Jobs.Waiting do
  # Waits until jobs have ended, or are in a stage.
  @moduledoc false

  alias HfHub.{Decode, Error, Request}
  alias HfHub.Jobs.{Call, JobInfo}
  alias HfHub.Request.Poll

  @doc "Requests one job or several, one after the other, until each has ended."
  @spec run(String.t() | JobInfo.t() | list(), keyword()) ::
          {:ok, JobInfo.t() | [JobInfo.t()]} | {:error, Error.t()}
  def run(jobs, opts) when is_list(jobs) do
    deadline = Request.deadline(opts[:timeout])
    all = length(jobs)

    jobs
    |> Enum.with_index(1)
    |> Enum.reduce_while({:ok, []}, fn {job, number}, {:ok, ended} ->
      case one(job, " (#{number} of #{all})", Request.until(opts, deadline)) do
        {:ok, job} -> {:cont, {:ok, [job | ended]}}
        error -> {:halt, error}
      end
    end)
    |> in_order()
  end

  def run(job, opts), do: one(job, "", opts)

  defp one(job, position, opts) do
    stages = for stage <- List.wrap(opts[:stages]), do: stage |> to_string() |> String.upcase()
    awaited = if stages == [], do: "had not ended", else: "was not in stage #{Enum.join(stages, " or ")}"

    with {:ok, {_namespace, id} = place} <- Call.place(job, opts) do
      :jobs
      |> Call.one(:get, place, opts)
      |> Poll.until(&decide(&1, stages),
        decode: Call.job(opts),
        pause: opts[:poll_interval],
        longest_pause: opts[:poll_interval],
        late: "the job #{inspect(id)}#{position} #{awaited}",
        on_wait: opts[:on_wait]
      )
      |> Call.about(:jobs, place)
    end
  end

  defp in_order({:ok, jobs}), do: {:ok, Enum.reverse(jobs)}
  defp in_order(error), do: error

  defp decide(job, stages) do
    there? = job.raw |> Decode.get("status") |> Decode.get("stage") |> Kernel.in(stages)
    if there? or Call.ended?(job), do: {:done, job}, else: Poll.again("stage", Decode.get(job.status, :stage))
  end
end
