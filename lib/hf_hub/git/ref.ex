defmodule HfHub.Git.Ref do
  @moduledoc """
  A branch, tag or other name of a commit. Python: `GitRefInfo`.
  """

  use HfHub.Schema,
    name: {"name", :string, "short name, such as `\"main\"`"},
    ref: {"ref", :string, "full name, such as `\"refs/heads/main\"`"},
    target_commit: {"targetCommit", :string, "commit that it points to"}
end
