defmodule HfHub.Request.Poll do
  # Asks until something has become true, such as a Space that runs.
  @moduledoc false

  alias HfHub.{Error, Request}

  @doc """
  Sends the request until `fun` says of its result that it is done, with growing pauses in between.

  `fun` returns `{:done, value}`, `:again`, or `{:error, error}`. The call's `:timeout` bounds all of it; where it passes,
  the result is the error `:timeout`, with what was waited for.

  ## Options

    * `:pause` - the first pause, in milliseconds; each further one is half as long again. Defaults to 1,000
    * `:longest_pause` - in milliseconds. Defaults to 30,000
    * `:what` - what is waited for, for the message of a time-out
    * `:on_wait` - a function that gets each result that is not the last, such as to show progress
  """
  @spec until(Request.t(), (term() -> {:done, value} | :again | {:error, Error.t()}), keyword()) ::
          {:ok, value} | {:error, Error.t()}
        when value: term()
  def until(request, fun, opts \\ []) do
    pauses = {Keyword.get(opts, :pause, 1000), Keyword.get(opts, :longest_pause, 30_000)}
    poll(request, fun, opts, Request.deadline(request.opts[:timeout]), pauses)
  end

  defp poll(request, fun, opts, deadline, {pause, longest}) do
    with {:ok, found} <- Request.run(%{request | opts: Request.until(request.opts, deadline)}) do
      case fun.(found) do
        {:done, value} -> {:ok, value}
        {:error, error} -> {:error, error}
        :again -> wait_and_poll(found, request, fun, opts, deadline, {pause, longest})
      end
    end
  end

  defp wait_and_poll(found, request, fun, opts, deadline, {pause, longest}) do
    if deadline && System.monotonic_time(:millisecond) + pause >= deadline do
      what = opts[:what] || "what was waited for"

      {:error,
       Error.new(
         :timeout,
         "#{what} was not there within #{request.opts[:timeout]} ms; raise :timeout to wait longer"
       )}
    else
      if opts[:on_wait], do: opts[:on_wait].(found)
      Process.sleep(pause)
      poll(request, fun, opts, deadline, {min(div(pause * 3, 2), longest), longest})
    end
  end
end
