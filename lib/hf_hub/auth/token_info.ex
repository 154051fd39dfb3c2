defmodule HfHub.Auth.TokenInfo do
  @moduledoc """
  Information about a token, in `HfHub.Auth.Whoami`. It does not contain the token.
  """

  alias HfHub.Decode

  @fine ["accessToken", "fineGrained"]

  use HfHub.Schema,
    type: {"type", :string, "`\"access_token\"`, or `\"oauth\"` for the token of a login by browser"},
    name: {["accessToken", "displayName"], :string, "name of the token"},
    role:
      {["accessToken", "role"], {:enum, [:read, :write, :god, fine_grained: "fineGrained"]},
       "role of the token"},
    created_at: {["accessToken", "createdAt"], :datetime, "time of creation"},
    expires_at: {"expiresAt", :datetime, "time of expiry"},
    read_gated_repos:
      {@fine ++ ["canReadGatedRepos"], :boolean, "whether a fine-grained token may read gated repositories"},
    global:
      {@fine ++ ["global"], [:string],
       "permissions of a fine-grained token in all namespaces, such as `\"repo.write\"`", default: []},
    scoped:
      {@fine ++ ["scoped"], [{:tuple, [:string, [:string]]}],
       "permissions of a fine-grained token in single namespaces or repositories, by name", by: :scoped},
    resource: {"resource", :map, "what the token of a CI job is for"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  defp scoped(scopes) when is_list(scopes) do
    for scope <- scopes do
      entity = Decode.get(scope, "entity")
      permissions = Decode.get(scope, "permissions")

      {Decode.get(entity, "name") || Decode.get(entity, "_id"),
       if(is_list(permissions), do: permissions, else: [])}
    end
  end

  defp scoped(_none), do: []

  defimpl Inspect do
    def inspect(info, _opts), do: "#HfHub.Auth.TokenInfo<#{HfHub.Brief.token(info)}>"
  end
end
