defmodule HfHub.Git.Refs do
  @moduledoc """
  All names of commits of a repository. Python: `GitRefs`.

    * `:branches`, `:tags`, `:converts` - lists of `HfHub.Git.Ref`; converts are made by the Hub, such as
      `refs/convert/parquet`
    * `:pull_requests` - the same, or `nil` where they were not asked for
  """

  alias HfHub.Decode
  alias HfHub.Git.Ref

  @fields [
    branches: {"branches", &__MODULE__.list/1},
    tags: {"tags", &__MODULE__.list/1},
    converts: {"converts", &__MODULE__.list/1},
    pull_requests: {"pullRequests", &__MODULE__.optional/1}
  ]

  @type t :: %__MODULE__{
          branches: [Ref.t()],
          tags: [Ref.t()],
          converts: [Ref.t()],
          pull_requests: [Ref.t()] | nil
        }

  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  @doc false
  def list(items), do: Decode.list(&Ref.from_json/1).(items)

  @doc false
  def optional(items), do: Decode.optional(&list/1).(items)
end
