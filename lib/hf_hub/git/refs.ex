defmodule HfHub.Git.Refs do
  @moduledoc """
  All names of commits of a repository. Python: `GitRefs`.
  """

  alias HfHub.Git.Ref

  use HfHub.Schema,
    branches: {"branches", [Ref], "branches", default: []},
    tags: {"tags", [Ref], "tags", default: []},
    converts: {"converts", [Ref], "refs made by the Hub, such as `refs/convert/parquet`", default: []},
    pull_requests: {"pullRequests", [Ref], "refs of pull requests; `nil` unless they were requested"}
end
