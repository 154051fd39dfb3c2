defmodule HfHub.LocalHub.Token do
  @moduledoc """
  What a Local Hub knows of a user's token: the token itself is not among it.
  """

  use HfHub.Schema,
    id: {"id", :name, "id of the token, for `HfHub.LocalHub.Accounts.revoke_token/3`"},
    name: {"name", :string, "name of the token"},
    role: {"role", {:enum, [:read, :write, fine_grained: "fineGrained"]}, "permission of the token"},
    created_at: {"createdAt", :datetime, "time of creation"},
    expires_at: {"expiresAt", :datetime, "end of validity; `nil` if it has none"}
end
