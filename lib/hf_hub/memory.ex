defmodule HfHub.Memory do
  # Caches facts about tokens and models in this VM. Keys are digests, so that a dump of the VM shows no token here.
  # A persistent term, because there are few entries, written rarely and read by every call.
  @moduledoc false

  @most 64

  @doc "Returns the key of a kind of fact about a token or a model."
  @spec key(atom(), [String.t()]) :: term()
  def key(kind, parts), do: {kind, :erlang.md5([to_string(kind) | Enum.map(parts, &[0, &1])])}

  @spec get(term()) :: term()
  def get(key), do: Map.get(entries(), key)

  @spec put(term(), term()) :: :ok
  def put(key, value) do
    entries = entries()
    # More than the tokens of one machine; a server with thousands of users drops them all now and then.
    entries = if map_size(entries) < @most, do: entries, else: %{}
    :persistent_term.put(__MODULE__, Map.put(entries, key, value))
  end

  @spec clear() :: :ok
  def clear, do: :persistent_term.put(__MODULE__, %{})

  defp entries, do: :persistent_term.get(__MODULE__, %{})
end
