defmodule HfHub.Api.LastCommit do
  @moduledoc """
  The commit that last touched a file or folder. Python: `LastCommitInfo`.
  """

  use HfHub.Schema,
    oid: {"id", :string, "id of the commit"},
    title: {"title", :string, "first line of the commit's message"},
    date: {"date", :datetime, "time of the commit"}
end
