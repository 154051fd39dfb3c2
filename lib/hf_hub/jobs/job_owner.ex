defmodule HfHub.Jobs.JobOwner do
  @moduledoc """
  The owner of a job. Python: `JobOwner`.
  """

  use HfHub.Schema,
    id: {"id", :string, "id of the account"},
    name: {"name", :string, "name of the account"},
    type: {"type", {:enum, [:user, :org]}, "type of the account"}
end
