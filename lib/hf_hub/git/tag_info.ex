defmodule HfHub.Git.TagInfo do
  @moduledoc """
  A tag. Python: `GitRefInfo`.
  """

  use HfHub.Schema,
    name: {"name", :string, "short name, such as `\"v1.0\"`"},
    ref: {"ref", :string, "full name, such as `\"refs/tags/v1.0\"`"},
    target_commit: {"targetCommit", :string, "commit that it points to, if it is known"},
    message: {"message", :string, "message of an annotated tag; the Hub's lists of refs have none"}

  HfHub.Schema.from_response("""
      iex> HfHub.Git.TagInfo.from_response(%{"name" => "v1.0", "ref" => "refs/tags/v1.0"}).name
      "v1.0"
  """)
end
