defmodule HfHub.Git.GitRefs do
  @moduledoc """
  The branches, tags and other refs of a repository. Python: `GitRefs`.
  """

  alias HfHub.Git.{BranchInfo, TagInfo}

  use HfHub.Schema,
    branches: {"branches", [BranchInfo], "branches", default: []},
    tags: {"tags", [TagInfo], "tags", default: []},
    converts: {"converts", [BranchInfo], "refs made by the Hub, such as `refs/convert/parquet`", default: []},
    pull_requests: {"pullRequests", [BranchInfo], "refs of pull requests; `nil` unless they were requested"}

  HfHub.Schema.from_response("""
      iex> HfHub.Git.GitRefs.from_response(%{"branches" => [%{"name" => "main"}]}).tags
      []
  """)
end
