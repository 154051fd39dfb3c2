defmodule HfHub.Auth.StoredToken do
  @moduledoc """
  A token that is stored on this machine, for all Hugging Face clients. `inspect/1` shows no secret.
  """

  alias HfHub.Config.Token

  @enforce_keys [:name, :token]

  use HfHub.Schema,
    name: {:string, "name of the token"},
    token: {:string, "token itself", json: false},
    expires_at: {{:or, [:datetime, nil]}, "time of expiry, or `nil` if it does not expire"},
    refresh_token: {{:or, [:string, nil]}, "secret that the token is renewed with", json: false},
    in_use: {:boolean, "whether calls without the option `:token` send it", default: false},
    refreshable: {:boolean, "whether it is renewed before it expires, when it is used", default: false}

  defimpl Inspect do
    def inspect(stored, _opts) do
      in_use = if stored.in_use, do: ", in use", else: ""

      "#HfHub.Auth.StoredToken<#{inspect(stored.name)}, #{Token.mask(stored.token)}#{in_use}#{expiry(stored)}>"
    end

    defp expiry(%{expires_at: nil}), do: ""

    defp expiry(%{expires_at: time}) do
      word = if DateTime.compare(time, DateTime.utc_now()) == :gt, do: "expires", else: "expired"
      ", #{word} #{DateTime.to_date(time)}"
    end
  end
end
