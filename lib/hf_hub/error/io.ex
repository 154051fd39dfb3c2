defmodule HfHub.Error.Io do
  # Errors of file operations of Elixir; those of the engine come as they are.
  @moduledoc false

  alias HfHub.Error

  @doc "Returns the error of an operation such as \"write\", which failed with a reason of `File`."
  @spec new(String.t(), Path.t(), atom()) :: Error.t()
  def new(verb, path, reason),
    do: Error.new(:io, "cannot #{verb} `#{path}`", path: path, reason: "#{:file.format_error(reason)}")
end
