defmodule HfHub.Auth.Organization do
  @moduledoc """
  An organization the account belongs to, in `HfHub.Auth.Whoami`.
  """

  use HfHub.Schema,
    id: {"id", :string, "id of the organization"},
    name: {"name", :string, "name of the organization"},
    fullname: {"fullname", :string, "full name"},
    email: {"email", :string, "email address"},
    avatar_url: {"avatarUrl", :string, "address of the picture"},
    role:
      {"roleInOrg", {:enum, [:admin, :write, :contributor, :read]}, "role of the account in the organization"},
    enterprise: {"isEnterprise", :boolean, "whether the organization has an enterprise plan"},
    can_pay: {"canPay", :boolean, "whether the organization has a means of payment"},
    period_end: {"periodEnd", :timestamp, "end of the paid period"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  defimpl Inspect do
    def inspect(org, _opts), do: "#HfHub.Auth.Organization<#{org.name}, #{org.role || "role unknown"}>"
  end
end
