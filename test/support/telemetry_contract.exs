# The functions of the application :telemetry that its users call, by its documented contract, for tests in a VM without
# the package: a handler is called in the process of the event, and one that fails is detached.
defmodule :telemetry do
  def attach(id, event, fun, config), do: attach_many(id, [event], fun, config)

  def attach_many(id, events, fun, config) when is_function(fun, 4) do
    if Enum.any?(handlers(), fn {known, _events, _fun, _config} -> known == id end),
      do: {:error, :already_exists},
      else: put([{id, events, fun, config} | handlers()])
  end

  def detach(id) do
    rest = Enum.reject(handlers(), fn {known, _events, _fun, _config} -> known == id end)
    if rest == handlers(), do: {:error, :not_found}, else: put(rest)
  end

  def list_handlers(prefix) do
    for {id, events, _fun, _config} <- handlers(),
        event <- events,
        List.starts_with?(event, prefix),
        do: %{id: id, event_name: event}
  end

  def execute(event, measurements, metadata)
      when is_list(event) and is_map(measurements) and is_map(metadata) do
    for {id, events, fun, config} <- handlers(), event in events do
      try do
        fun.(event, measurements, metadata, config)
      catch
        _kind, _reason -> detach(id)
      end
    end

    :ok
  end

  defp handlers, do: :persistent_term.get(__MODULE__, [])
  defp put(handlers), do: :persistent_term.put(__MODULE__, handlers)
end
