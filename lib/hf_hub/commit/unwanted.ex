defmodule HfHub.Commit.Unwanted do
  # Files of tools and operating systems that uploads of folders leave out by default.
  @moduledoc false

  require Logger

  # Names in any folder: of folders if they end in `/`, else of files. All of 0.3's, and others that their tools make and
  # that no reader of a repository needs.
  @patterns ~w(__pycache__/ .ipynb_checkpoints/ .pytest_cache/ .mypy_cache/ .ruff_cache/ *.pyc *.pyo *.swp *.swo
               .DS_Store ._* Thumbs.db desktop.ini *.incomplete)

  @doc "Returns the patterns."
  @spec patterns() :: [String.t()]
  def patterns, do: @patterns

  @doc "Returns the documentation of the option that includes the files."
  @spec doc() :: String.t()
  def doc do
    "Whether to leave out files that are rarely meant to be published, in any folder: " <>
      Enum.map_join(@patterns, ", ", &"`#{&1}`") <>
      ". A pattern in `:allow_patterns` that names them, such as `\"*.pyc\"`, includes them. The Python client uploads them."
  end

  @doc "Logs how many files an upload has left out, and how to include them."
  @spec log(map()) :: :ok
  def log(%{unwanted: 0}), do: :ok

  def log(%{unwanted: count, unwanted_names: names}) do
    more = if count > length(names), do: ", …", else: ""

    Logger.info(
      "#{files(count)} left out by default (#{Enum.map_join(names, ", ", &inspect/1)}#{more}); pass ignore_defaults: false " <>
        "to upload them"
    )
  end

  defp files(1), do: "1 file was"
  defp files(count), do: "#{count} files were"
end
