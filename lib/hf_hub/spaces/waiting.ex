defmodule HfHub.Spaces.Waiting do
  # Waits until a Space runs, or cannot run without help.
  @moduledoc false

  alias HfHub.{Error, Request}
  alias HfHub.Request.Poll
  alias HfHub.Spaces.SpaceRuntime

  @on_the_way [:building, :running_building, :app_starting, :running_app_starting]

  @next %{
    no_app_file: "upload the app file, such as app.py, Dockerfile or index.html",
    config_error: "correct its card, variables or secrets",
    build_error: "read HfHub.Spaces.logs/2 with build: true",
    runtime_error: "read HfHub.Spaces.logs/2, and restart it with HfHub.Spaces.restart/2",
    paused: "start it with HfHub.Spaces.restart/2",
    stopped: "start it with HfHub.Spaces.restart/2",
    sleeping: "open its page, or start it with HfHub.Spaces.restart/2"
  }

  @doc "Sends the request for the runtime until the Space runs."
  @spec run(Request.t(), keyword(), (term() -> SpaceRuntime.t())) ::
          {:ok, SpaceRuntime.t()} | {:error, Error.t()}
  def run(request, opts, decode) do
    pause = opts[:poll_interval]
    id = request.ref && request.ref.repo_id

    Poll.until(request, &decide(&1, id),
      decode: decode,
      pause: pause,
      longest_pause: 10 * pause,
      late: "the Space #{inspect(id)} was not ready"
    )
  end

  defp decide(%{stage: :running} = runtime, _id), do: {:done, runtime}
  defp decide(%{stage: stage}, _id) when stage in @on_the_way, do: Poll.again("stage", stage)
  defp decide(runtime, id), do: {:error, stuck(runtime, id)}

  defp stuck(%{stage: stage, error_message: why, raw: raw}, id) do
    reason = if is_binary(why), do: " (#{why})", else: ""
    next = if step = @next[stage], do: "; #{step}", else: ""
    shown = if is_atom(stage), do: stage |> inspect(), else: inspect(stage, printable_limit: 100)
    message = "the Space #{inspect(id)} does not run: its stage is #{shown}#{reason}#{next}"
    Error.new(:precondition, message, repo_id: id, details: raw)
  end
end
