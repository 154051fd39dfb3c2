defmodule HfHub.Git.BranchInfo do
  @moduledoc """
  A branch, or another ref that the Hub makes: of a pull request or a conversion. Python: `GitRefInfo`.
  """

  use HfHub.Schema,
    name: {"name", :string, "short name, such as `\"main\"`"},
    ref: {"ref", :string, "full name, such as `\"refs/heads/main\"`"},
    target_commit: {"targetCommit", :string, "commit that it points to, if it is known"}

  HfHub.Schema.from_response("""
      iex> response = %{"name" => "main", "targetCommit" => "c0ffee"}
      iex> HfHub.Git.BranchInfo.from_response(response).target_commit
      "c0ffee"
  """)
end
