defmodule HfHub.Auth.Whoami do
  @moduledoc """
  The account that a token belongs to, and the token's permissions: the result of `HfHub.Auth.whoami/1`.
  """

  alias HfHub.Auth.{Organization, TokenInfo}
  alias HfHub.Decode

  use HfHub.Schema,
    type: {"type", {:enum, [:user, :org, :app]}, "kind of account"},
    id: {"id", :string, "id of the account"},
    name: {"name", :name, "name of the account"},
    username: {"name", :name, "same as `:name`, by its name in hf_hub 0.3"},
    fullname: {"fullname", :string, "full name"},
    email: {"email", :string, "email address, if the token may read it"},
    email_verified: {"emailVerified", :boolean, "whether the email address is verified"},
    pro: {"isPro", :boolean, "whether the account is a PRO account"},
    can_pay: {"canPay", :boolean, "whether the account has a means of payment"},
    billing_mode: {"billingMode", :string, "how the account is billed"},
    period_end: {"periodEnd", :timestamp, "end of the paid period"},
    avatar_url: {"avatarUrl", :string, "address of the picture"},
    orgs: {"orgs", [Organization], "organizations of the account", default: []},
    organizations: {"orgs", [:string], "names of `:orgs`, as in hf_hub 0.3", default: [], by: :names},
    auth: {"auth", TokenInfo, "token of the call", by: :auth},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  defp names(orgs), do: for(%{"name" => name} when is_binary(name) <- List.wrap(orgs), do: name)

  # Some Hubs return the account without information about the token.
  defp auth(json), do: Decode.struct(TokenInfo, if(is_map(json), do: json, else: %{}))

  defimpl Inspect do
    def inspect(whoami, _opts) do
      orgs = for org <- whoami.orgs, do: org.name
      orgs = if orgs == [], do: "", else: ", in " <> Enum.join(orgs, ", ")
      "#HfHub.Auth.Whoami<#{whoami.name}#{orgs}, #{HfHub.Brief.token(whoami.auth)}>"
    end
  end
end
