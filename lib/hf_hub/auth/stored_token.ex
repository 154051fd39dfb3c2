defmodule HfHub.Auth.StoredToken do
  @moduledoc """
  A token that is stored on this machine, for all Hugging Face clients. Printing one shows no secret.

    * `:name` - what it is called
    * `:token` - the token itself
    * `:in_use` - whether it is the one that is sent, unless a call says otherwise
    * `:expires_at` - a `DateTime`, or `nil` where it does not expire
    * `:refreshable` - whether it is renewed by itself before it expires
  """

  alias HfHub.Config.Token

  @enforce_keys [:name, :token]
  defstruct [:name, :token, :expires_at, :refresh_token, in_use: false, refreshable: false]

  @type t :: %__MODULE__{
          name: String.t(),
          token: String.t(),
          in_use: boolean(),
          expires_at: DateTime.t() | nil,
          refreshable: boolean(),
          refresh_token: String.t() | nil
        }

  @doc false
  @spec from_section(HfHub.Auth.Ini.section()) :: t()
  def from_section({name, fields}) do
    fields = Map.new(fields)
    expires_at = expiry(fields["expires_at"])
    refresh_token = Token.clean(fields["refresh_token"])

    %__MODULE__{
      name: name,
      token: Token.clean(fields["hf_token"]) || "",
      expires_at: expires_at,
      refresh_token: refresh_token,
      refreshable: expires_at != nil and refresh_token != nil
    }
  end

  defp expiry(text) do
    with text when is_binary(text) <- text,
         {seconds, ""} <- Integer.parse(String.trim(text)),
         {:ok, time} <- DateTime.from_unix(seconds) do
      time
    else
      _unknown -> nil
    end
  end

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
