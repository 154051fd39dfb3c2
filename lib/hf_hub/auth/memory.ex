defmodule HfHub.Auth.Memory do
  # What is remembered about tokens in this VM. Keys are digests: whoever looks into the VM finds
  # no token here. Few entries, written rarely, read by every call: a persistent term.
  @moduledoc false

  @most 64

  @doc "The key of what is known about a token, in a certain respect."
  @spec key(atom(), [String.t()]) :: term()
  def key(respect, parts), do: {respect, :erlang.md5([to_string(respect) | Enum.map(parts, &[0, &1])])}

  @spec get(term()) :: term()
  def get(key), do: Map.get(entries(), key)

  @spec put(term(), term()) :: :ok
  def put(key, value) do
    entries = entries()
    # Enough room for every token of one machine; a server that meets thousands keeps some of them.
    entries = if map_size(entries) < @most, do: entries, else: %{}
    :persistent_term.put(__MODULE__, Map.put(entries, key, value))
  end

  @spec clear() :: :ok
  def clear, do: :persistent_term.put(__MODULE__, %{})

  defp entries, do: :persistent_term.get(__MODULE__, %{})
end
