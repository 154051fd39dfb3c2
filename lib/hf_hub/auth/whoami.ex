defmodule HfHub.Auth.Whoami do
  @moduledoc """
  Whose token it is, and what it may do: the Hub's answer to `HfHub.Auth.whoami/1`.

    * `:type` - `:user`, `:org` or `:app`
    * `:id`, `:name`, `:fullname`, `:avatar_url`
    * `:email`, `:email_verified` - where the token may know them
    * `:pro` - whether the account is a paid one; `:can_pay`, `:billing_mode`, `:period_end` (a `DateTime`)
    * `:orgs` - a list of `HfHub.Auth.Organization`
    * `:auth` - the token, a `HfHub.Auth.TokenInfo`
    * `:raw` - the whole answer
  """

  alias HfHub.Auth.{Organization, TokenInfo}
  alias HfHub.Decode

  @fields [
    type: {"type", &__MODULE__.type/1},
    id: "id",
    name: "name",
    fullname: "fullname",
    email: "email",
    email_verified: "emailVerified",
    pro: "isPro",
    can_pay: "canPay",
    billing_mode: "billingMode",
    period_end: {"periodEnd", &__MODULE__.time/1},
    avatar_url: "avatarUrl",
    orgs: {"orgs", &__MODULE__.orgs/1},
    auth: {"auth", &__MODULE__.auth/1}
  ]

  @type t :: %__MODULE__{
          type: :user | :org | :app | String.t(),
          id: String.t() | nil,
          name: String.t(),
          fullname: String.t() | nil,
          email: String.t() | nil,
          email_verified: boolean() | nil,
          pro: boolean() | nil,
          can_pay: boolean() | nil,
          billing_mode: String.t() | nil,
          period_end: DateTime.t() | nil,
          avatar_url: String.t() | nil,
          orgs: [Organization.t()],
          auth: TokenInfo.t(),
          raw: map()
        }

  defstruct Keyword.keys(@fields) ++ [:raw]

  @doc false
  def from_json(%{"name" => name} = json) when is_binary(name),
    do: Decode.struct(json, __MODULE__, @fields)

  def from_json(_other), do: raise(Decode.Error, message: "it names nobody")

  @doc false
  def type(text), do: Decode.enum([:user, :org, :app]).(text)

  @doc false
  def orgs(list), do: Decode.list(&Organization.from_json/1).(list)

  @doc false
  def auth(json), do: TokenInfo.from_json(if is_map(json), do: json, else: %{})

  @doc false
  # Seconds since 1970.
  def time(seconds) when is_number(seconds) do
    case DateTime.from_unix(trunc(seconds)) do
      {:ok, time} -> time
      {:error, _reason} -> seconds
    end
  end

  def time(other), do: Decode.datetime(other)

  defimpl Inspect do
    def inspect(whoami, _opts) do
      orgs = for org <- whoami.orgs, do: org.name
      orgs = if orgs == [], do: "", else: ", in " <> Enum.join(orgs, ", ")
      "#HfHub.Auth.Whoami<#{whoami.name}#{orgs}, #{HfHub.Auth.TokenInfo.describe(whoami.auth)}>"
    end
  end
end
