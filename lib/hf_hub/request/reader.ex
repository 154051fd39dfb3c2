defmodule HfHub.Request.Reader do
  # Reads a lazy stream one element at a time, so that an error between two elements loses neither, and the caller
  # decides whether another one is read.
  @moduledoc false

  alias HfHub.Error

  @typedoc "The rest of a stream; `nil` if it has ended."
  @type t :: (term() -> term()) | nil

  @doc "Returns a reader of a stream, which is started by the first `next/1`."
  @spec open(Enumerable.t()) :: t()
  def open(stream), do: &Enumerable.reduce(stream, &1, fn element, _none -> {:suspend, element} end)

  @doc "Returns the next element and the rest. After an error, there is no rest to close."
  @spec next(t()) :: {:ok, term(), t()} | :ended | {:error, Error.t()}
  def next(read) do
    case read.({:cont, nil}) do
      {:suspended, element, rest} -> {:ok, element, rest}
      {_done, _none} -> :ended
    end
  rescue
    error in Error -> {:error, error}
  end

  @doc "Ends the stream."
  @spec close(t()) :: term()
  def close(nil), do: :ok
  def close(read), do: read.({:halt, nil})
end
