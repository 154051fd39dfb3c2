defmodule HfHub.Test.Match do
  # Selects requests by their path, as the Local Hub does: a pattern, or a part of the path.
  @moduledoc false

  @doc "Returns whether a path matches."
  @spec path?(String.t(), String.t()) :: boolean()
  def path?(match, path) do
    if String.contains?(match, ["*", "?", "["]),
      do: HfHub.Fnmatch.matches?(match, path),
      else: String.contains?(path, match)
  end
end
