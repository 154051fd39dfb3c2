defmodule HfHub.Jobs.JobNetwork do
  @moduledoc """
  The network group of a job. Python: `JobNetwork`.
  """

  use HfHub.Schema,
    group: {"group", :string, "name of the group"},
    aliases: {"aliases", [:string], "host names of the job in the group", default: []}
end
