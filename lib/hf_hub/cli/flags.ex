defmodule HfHub.CLI.Flags do
  # Flags that several commands have.
  @moduledoc false

  alias HfHub.CLI.Command

  @doc "Returns the flags of all commands."
  @spec common(boolean()) :: Command.rules()
  def common(own_json) do
    formats = if own_json, do: [], else: formats()

    formats ++
      [
        json: [type: :boolean, doc: "Prints the result as JSON"],
        quiet: [type: :boolean, short: "q", doc: quiet(own_json)],
        help: [type: :boolean, short: "h", doc: "Shows this help"]
      ]
  end

  defp quiet(true), do: "Shows no progress"
  defp quiet(false), do: "Prints ids only, one a line, and shows no progress"

  defp formats do
    [
      format: [
        type: {:in, ~w(auto human agent json quiet)},
        default: "auto",
        doc:
          "Format of the result: `human` and `auto` for people, `agent` as lines of tab-separated values, `json`, `quiet`"
      ],
      no_truncate: [type: :boolean, doc: "Prints the columns of tables in full"]
    ]
  end

  @doc "Returns the flags of commands that call a Hub."
  @spec hub() :: Command.rules()
  def hub do
    [
      token: [
        type: :string,
        secret: true,
        doc: "Token to send. Defaults to the one of the environment or of `auth login`"
      ],
      endpoint: [type: :string, doc: "Base URL of the Hub. Defaults to the one of the settings"]
    ]
  end

  @doc "Returns the flag for the type of a repository."
  @spec repo_type([String.t()]) :: Command.rules()
  def repo_type(types \\ ~w(model dataset space)) do
    [
      repo_type: [
        type: {:in, types},
        names: ["repo-type", "type"],
        doc: "Type of the repository. Defaults to `model`"
      ]
    ]
  end

  @doc "Returns the flag for a revision."
  @spec revision() :: Command.rules()
  def revision, do: [revision: [type: :string, doc: "Branch, tag or commit. Defaults to `main`"]]

  @doc "Returns the flag that skips a confirmation."
  @spec yes() :: Command.rules()
  def yes, do: [yes: [type: :boolean, short: "y", doc: "Skips the confirmation"]]

  @doc "Returns the flag for a maximum number of results."
  @spec limit(pos_integer()) :: Command.rules()
  def limit(default), do: [limit: [type: :integer, default: default, doc: "Maximum number of results"]]

  @doc "Returns the argument for a repository."
  @spec repo_id() :: Command.rules()
  def repo_id, do: [repo_id: [doc: "Id of the repository, such as `me/my-model` or `datasets/me/data`"]]
end
