defmodule HfHub.InferenceEndpoints.Waiting do
  # Waits until an endpoint runs and responds, or cannot run without help.
  @moduledoc false

  alias HfHub.{Error, Request}
  alias HfHub.InferenceEndpoints.{Call, Endpoint}
  alias HfHub.Request.{Place, Poll}

  @next %{
    failed: "read its log on its page, correct it with HfHub.InferenceEndpoints.update/2, or delete it",
    update_failed: "read its log on its page, and correct it with HfHub.InferenceEndpoints.update/2",
    paused: "start it with HfHub.InferenceEndpoints.resume/2",
    scaled_to_zero: "send it a request, or start it with HfHub.InferenceEndpoints.resume/2"
  }

  @wait "wait with HfHub.InferenceEndpoints.wait_until_running/2"

  # Errors of the health route that another request does not change.
  @lasting [:no_token, :unauthorized, :forbidden, :invalid_name, :offline, :internal]

  @doc "Requests the endpoint until it runs and its health route responds."
  @spec run(Call.place(), keyword()) :: {:ok, Endpoint.t()} | {:error, Error.t()}
  def run({namespace, name} = place, opts) do
    pause = opts[:poll_interval]
    deadline = Request.deadline(opts[:timeout])
    request = Call.one(:get, place, opts)

    request
    |> Poll.until(&decide(&1, opts, deadline),
      decode: &Call.decode(&1, namespace),
      pause: pause,
      longest_pause: pause,
      late: "the endpoint #{inspect(name)} was not ready",
      on_wait: opts[:on_wait]
    )
    |> Call.on_hub(request, opts)
    |> Place.missing("endpoint", place)
  end

  defp decide(%{status: :running, url: url} = endpoint, opts, deadline) when is_binary(url),
    do: healthy(endpoint, opts, deadline)

  defp decide(%{status: status} = endpoint, _opts, _deadline) when is_map_key(@next, status),
    do: {:error, stuck(endpoint)}

  defp decide(on_the_way, _opts, _deadline), do: Poll.again("state", on_the_way.status)

  # The endpoint is a server of its own, which may need the token, too.
  defp healthy(endpoint, opts, deadline) do
    token = if endpoint.type == :public, do: false, else: opts[:token]

    there = Keyword.merge(opts, endpoint: endpoint.url, token: token, retries: 0)
    request = %{Request.new(:get, "/", [], Request.until(there, deadline)) | path: health_path(endpoint)}

    case request |> Request.plain() |> Request.headers() do
      {:ok, _headers} -> {:done, endpoint}
      {:error, %{kind: kind}} = error when kind in @lasting -> Call.on_hub(error, request, opts)
      {:error, error} -> {:again, "its health route does not respond: " <> Exception.message(error)}
    end
  end

  defp health_path(%{health_route: route}) when is_binary(route), do: "/" <> String.trim_leading(route, "/")
  defp health_path(_endpoint), do: "/health"

  @doc "Returns the error for an endpoint that does not run, with the next step."
  @spec stuck(Endpoint.t()) :: Error.t()
  def stuck(%{name: name, status: status, message: why, raw: raw}) do
    reason = if is_binary(why) and why != "", do: " (#{why})", else: ""

    message =
      "the endpoint #{inspect(name)} does not run: its state is #{inspect(status)}#{reason}; #{Map.get(@next, status, @wait)}"

    Error.new(:precondition, message, details: raw && raw["status"])
  end
end
