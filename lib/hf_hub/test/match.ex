defmodule HfHub.Test.Match do
  # Selects requests by their path, as the Local Hub does: a pattern, or a part of the path.
  @moduledoc false

  @doc "Raises `ArgumentError` unless the value is a pattern or a part of a path."
  @spec check!(term()) :: :ok
  def check!(match) when is_binary(match), do: :ok

  def check!(other) do
    raise ArgumentError,
          "expected a part of a path, or a pattern in which * stands for any text, got: #{inspect(other)}"
  end

  @doc "Returns whether a path matches."
  @spec path?(String.t(), String.t()) :: boolean()
  def path?(match, path) do
    if String.contains?(match, ["*", "?", "["]),
      do: HfHub.Fnmatch.matches?(match, path),
      else: String.contains?(path, match)
  end
end
