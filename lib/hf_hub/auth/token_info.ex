defmodule HfHub.Auth.TokenInfo do
  @moduledoc """
  What the Hub knows about a token, in `HfHub.Auth.Whoami`. The token itself is no part of it.

    * `:type` - `"access_token"`, or `"oauth"` for one that a login by browser has brought
    * `:name` - what its owner calls it
    * `:role` - `:read`, `:write`, `:fine_grained` or `:god`; `nil` for others
    * `:created_at`, `:expires_at` - `DateTime`s
    * `:read_gated_repos` - whether a fine-grained one may read gated repositories
    * `:global` - what a fine-grained one may do everywhere: a list of permissions such as `"repo.write"`
    * `:scoped` - what it may do where: a list of `{name, permissions}`
    * `:resource` - what a token of a CI job is for
    * `:raw` - the whole answer
  """

  alias HfHub.Decode

  @fine ["accessToken", "fineGrained"]

  @fields [
    type: "type",
    name: ["accessToken", "displayName"],
    role: {["accessToken", "role"], &__MODULE__.role/1},
    created_at: {["accessToken", "createdAt"], &Decode.datetime/1},
    expires_at: {"expiresAt", &Decode.datetime/1},
    read_gated_repos: @fine ++ ["canReadGatedRepos"],
    global: {@fine ++ ["global"], &__MODULE__.permissions/1},
    scoped: {@fine ++ ["scoped"], &__MODULE__.scoped/1},
    resource: "resource"
  ]

  @type t :: %__MODULE__{
          type: String.t() | nil,
          name: String.t() | nil,
          role: :read | :write | :fine_grained | :god | String.t() | nil,
          created_at: DateTime.t() | nil,
          expires_at: DateTime.t() | nil,
          read_gated_repos: boolean() | nil,
          global: [String.t()],
          scoped: [{String.t(), [String.t()]}],
          resource: map() | nil,
          raw: map()
        }

  defstruct Keyword.keys(@fields) ++ [:raw]

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  @doc false
  def role("fineGrained"), do: :fine_grained
  def role(text), do: Decode.enum([:read, :write, :god]).(text)

  @doc false
  def permissions(list), do: Decode.list(& &1).(list)

  @doc false
  def scoped(list) do
    Decode.list(fn scope ->
      scope = if is_map(scope), do: scope, else: %{}
      entity = if is_map(scope["entity"]), do: scope["entity"], else: %{}
      {entity["name"] || entity["_id"], permissions(scope["permissions"])}
    end).(list)
  end

  @doc false
  @spec describe(t()) :: String.t()
  def describe(info) do
    role = info.role && info.role |> to_string() |> String.replace("_", "-")
    kind = if info.type == "oauth", do: "token of a login by browser", else: "token"
    name = if info.name, do: " " <> inspect(info.name), else: ""
    String.trim_leading("#{role} #{kind}#{name}")
  end

  defimpl Inspect do
    def inspect(info, _opts), do: "#HfHub.Auth.TokenInfo<#{HfHub.Auth.TokenInfo.describe(info)}>"
  end
end
