defmodule HfHub.Native.Text do
  # The long JSON text of a response, which native code keeps and parses on the heap of the calling process.
  @moduledoc false

  alias HfHub.Native.Nif

  # Lists of structs and maps need a third of a word per byte of their text. The last page of a list may still be there.
  @words_per_byte 0.75

  @doc "Parses the body of a response if it is a text that native code keeps."
  @spec parsed(map(), term()) :: map()
  def parsed(%{body: {text, bytes}} = answer, tables) when is_reference(text) do
    {body, broken} = with_room(ceil(bytes * @words_per_byte), fn -> Nif.parse(text, tables) end)
    %{answer | body: body, broken: broken}
  end

  def parsed(answer, _tables), do: answer

  # Without room, the terms would be beside the heap in many small pieces, which the next garbage collection copies:
  # twice the memory. Pages that nothing is written to take none. The heap becomes no larger than this if it is not
  # already: what it was before is not added, for then it would grow with each call.
  defp with_room(words, fun) do
    if limited?(), do: fun.(), else: with_min_heap_size(words, fun)
  end

  defp with_min_heap_size(words, fun) do
    before = :erlang.process_flag(:min_heap_size, words)

    try do
      :erlang.garbage_collect(self(), type: :minor)
      fun.()
    after
      :erlang.process_flag(:min_heap_size, before)
    end
  end

  # Too much room could be what exceeds the limit.
  defp limited? do
    {:garbage_collection, settings} = Process.info(self(), :garbage_collection)
    settings[:max_heap_size].size > 0
  end
end
