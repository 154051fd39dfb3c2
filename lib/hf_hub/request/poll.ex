defmodule HfHub.Request.Poll do
  # Repeats a request until its result fulfils a condition, such as a Space that is running.
  @moduledoc false

  alias HfHub.{Error, Request}

  @doc """
  Sends the request again, with growing pauses, until `fun` accepts its result.

  `fun` is called with the result and returns `{:done, value}`, `:again`, or `{:error, error}`. The call's `:timeout` is
  the maximum duration of all requests and pauses together; after it, the error is of kind `:timeout`.

  ## Options

    * `:decode` - decodes the JSON of each response, as for `HfHub.Request.run/2`. Defaults to the JSON itself
    * `:pause` - first pause, in milliseconds; each further pause is 1.5 times as long. Defaults to 1,000
    * `:longest_pause` - maximum pause, in milliseconds. Defaults to 30,000
    * `:what` - subject of the timeout's message, such as `"the Space"`
    * `:on_wait` - function called with each result before a pause, for example to show progress
  """
  @spec until(Request.t(), (term() -> {:done, value} | :again | {:error, Error.t()}), keyword()) ::
          {:ok, value} | {:error, Error.t()}
        when value: term()
  def until(request, fun, opts \\ []) do
    pauses = {Keyword.get(opts, :pause, 1000), Keyword.get(opts, :longest_pause, 30_000)}
    poll(request, fun, opts, Request.deadline(request.opts[:timeout]), pauses)
  end

  defp poll(request, fun, opts, deadline, {pause, longest}) do
    decode = Keyword.get(opts, :decode, & &1)

    with {:ok, found} <- Request.run(%{request | opts: Request.until(request.opts, deadline)}, decode) do
      case fun.(found) do
        {:done, value} -> {:ok, value}
        {:error, error} -> {:error, error}
        :again -> wait_and_poll(found, request, fun, opts, deadline, {pause, longest})
      end
    end
  end

  defp wait_and_poll(found, request, fun, opts, deadline, {pause, longest}) do
    if deadline && System.monotonic_time(:millisecond) + pause >= deadline do
      what = opts[:what] || "the expected state"

      {:error,
       Error.new(
         :timeout,
         "#{what} was not ready within #{request.opts[:timeout]} ms; increase :timeout to wait longer"
       )}
    else
      if opts[:on_wait], do: opts[:on_wait].(found)
      Process.sleep(pause)
      poll(request, fun, opts, deadline, {min(div(pause * 3, 2), longest), longest})
    end
  end
end
