defmodule HfHub.Git.Ref do
  @moduledoc """
  A branch, tag or other name of a commit. Python: `GitRefInfo`.

    * `:name` - `"main"`
    * `:ref` - `"refs/heads/main"`
    * `:target_commit`
  """

  alias HfHub.Decode

  @fields [name: "name", ref: "ref", target_commit: "targetCommit"]

  @type t :: %__MODULE__{name: String.t(), ref: String.t(), target_commit: String.t()}

  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)
end
