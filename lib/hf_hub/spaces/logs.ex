defmodule HfHub.Spaces.Logs do
  # The log of a Space, read as server-sent events. The Hub sends all lines so far, then each new line; it never ends
  # the response by itself.
  @moduledoc false

  alias HfHub.{Options, Request}
  alias HfHub.Request.LogTime
  alias HfHub.Spaces.Tables

  # The Hub sends an empty event now and then, in what intervals is not documented.
  @silence 120_000

  @doc "Returns a lazy stream of the lines of a log."
  @spec stream(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream(repo_id, opts) do
    opts = Options.validate!(opts, Tables.logs())
    kind = if opts[:build], do: "build", else: "run"
    route = "/api/spaces/*repo/logs/" <> kind
    about = [only: :space, scope: :owned]

    if opts[:follow] do
      patient = Keyword.update!(opts, :download_timeout, &(&1 || @silence))

      route
      |> request(repo_id, patient, about)
      |> Request.events(ends_at_deadline: true)
      |> Stream.flat_map(&line/1)
    else
      route
      |> request(repo_id, opts, about)
      |> Request.events(quiet: opts[:quiet])
      |> Stream.transform(nil, &until_now/2)
    end
  end

  defp request(route, repo_id, opts, about) do
    Request.repo(:get, route, repo_id, Keyword.drop(opts, [:build, :follow, :quiet]), about)
  end

  defp line(%{data: %{"data" => line}}) when is_binary(line), do: [line]
  defp line(_other), do: []

  # An app that never stops writing would never be quiet: the lines so far end with the first one that is newer than
  # the response. Headers have whole seconds.
  defp until_now(event, opened_at) do
    opened_at = opened_at || event.opened_at
    if LogTime.newer?(event.data, opened_at), do: {:halt, opened_at}, else: {line(event), opened_at}
  end
end
