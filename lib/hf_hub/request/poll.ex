defmodule HfHub.Request.Poll do
  # Repeats a request until its result fulfils a condition, such as a Space that is running.
  @moduledoc false

  alias HfHub.{Error, Options, Request}

  @type decision :: {:done, term()} | :again | {:again, String.t()} | {:error, Error.t()}

  @doc """
  Sends the request again, with growing pauses, until `fun` accepts its result.

  `fun` is called with the result and returns `{:done, value}`, `:again`, `{:again, seen}` with what is not as expected, or
  `{:error, error}`. The call's `:timeout` is the maximum duration of all requests and pauses together; after it, the
  error is of kind `:timeout`, and its message has what was seen last.

  ## Options

    * `:decode` - decodes the JSON of each response, as for `HfHub.Request.run/2`. Defaults to the JSON itself
    * `:pause` - first pause, in milliseconds; each further pause is 1.5 times as long. Defaults to 1,000
    * `:longest_pause` - maximum pause, in milliseconds. Defaults to 30,000
    * `:late` - beginning of the timeout's message, such as `"the Space was not ready"`
    * `:on_wait` - function called with each result before a pause, for example to show progress
  """
  @spec until(Request.t(), (term() -> decision()), keyword()) :: {:ok, term()} | {:error, Error.t()}
  def until(request, fun, opts \\ []) do
    pauses = {Keyword.get(opts, :pause, 1000), Keyword.get(opts, :longest_pause, 30_000)}
    poll(request, fun, opts, Request.deadline(request.opts[:timeout]), pauses, nil)
  end

  @doc "Returns the decision to poll again because of this state of the result, which may be unknown."
  @spec again(String.t(), term()) :: :again | {:again, String.t()}
  def again(_name, nil), do: :again
  def again(name, state), do: {:again, "its #{name} is #{Options.shown(state)}"}

  defp poll(request, fun, opts, deadline, pauses, last) do
    decode = Keyword.get(opts, :decode, & &1)

    case Request.run(%{request | opts: Request.until(request.opts, deadline)}, decode) do
      {:ok, found} -> decided(fun.(found), found, request, fun, opts, deadline, pauses)
      {:error, error} -> {:error, failed(error, last, request, opts, deadline)}
    end
  end

  defp decided({:done, value}, _found, _request, _fun, _opts, _deadline, _pauses), do: {:ok, value}
  defp decided({:error, error}, _found, _request, _fun, _opts, _deadline, _pauses), do: {:error, error}

  defp decided(again, found, request, fun, opts, deadline, {pause, longest}) do
    if deadline && Request.time_left(deadline) <= pause do
      {:error, late(again, request, opts)}
    else
      if opts[:on_wait], do: opts[:on_wait].(found)
      Process.sleep(pause)
      poll(request, fun, opts, deadline, {min(div(pause * 3, 2), longest), longest}, again)
    end
  end

  # The deadline may come during a request after others that had a response.
  defp failed(%{kind: :timeout} = error, last, request, opts, deadline) do
    if last != nil and Request.time_left(deadline) == 0, do: late(last, request, opts), else: error
  end

  defp failed(error, _last, _request, _opts, _deadline), do: error

  defp late(again, request, opts) do
    late = opts[:late] || "the expected state was not reached"
    seen = with {:again, seen} <- again, do: ": " <> seen, else: (:again -> "")

    Error.new(
      :timeout,
      "#{late} within #{request.opts[:timeout]} ms#{seen}; increase :timeout to wait longer"
    )
  end
end
