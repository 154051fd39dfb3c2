defmodule HfHub.Spaces.SpaceSecret do
  @moduledoc """
  A secret of a Space, whose value the Hub never returns. Python: `SpaceSecret`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    key: {"key", :name, "name of the secret"},
    description: {"description", :string, "what the value is for"},
    updated_at: {"updatedAt", :datetime, "time of the last change"}

  defimpl Inspect do
    def inspect(secret, _opts), do: Brief.line(secret, [secret.key, secret.description])
  end
end
