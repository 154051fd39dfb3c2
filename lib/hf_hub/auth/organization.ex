defmodule HfHub.Auth.Organization do
  @moduledoc """
  An organization the account belongs to, in `HfHub.Auth.Whoami`.

    * `:id`, `:name`, `:fullname`, `:email`, `:avatar_url`
    * `:role` - what the account may do in it: `:admin`, `:write`, `:contributor` or `:read`
    * `:enterprise` - whether it is an enterprise's; `:can_pay`, `:period_end` (a `DateTime`)
    * `:raw` - the whole answer
  """

  alias HfHub.Auth.Whoami
  alias HfHub.Decode

  @fields [
    id: "id",
    name: "name",
    fullname: "fullname",
    email: "email",
    avatar_url: "avatarUrl",
    role: {"roleInOrg", &__MODULE__.role/1},
    enterprise: "isEnterprise",
    can_pay: "canPay",
    period_end: {"periodEnd", &Whoami.time/1}
  ]

  @type t :: %__MODULE__{
          id: String.t() | nil,
          name: String.t(),
          fullname: String.t() | nil,
          email: String.t() | nil,
          avatar_url: String.t() | nil,
          role: :admin | :write | :contributor | :read | String.t() | nil,
          enterprise: boolean() | nil,
          can_pay: boolean() | nil,
          period_end: DateTime.t() | nil,
          raw: map()
        }

  defstruct Keyword.keys(@fields) ++ [:raw]

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  @doc false
  def role(text), do: Decode.enum([:admin, :write, :contributor, :read]).(text)

  defimpl Inspect do
    def inspect(org, _opts), do: "#HfHub.Auth.Organization<#{org.name}, #{org.role || "role unknown"}>"
  end
end
