defmodule HfHub.Auth.DeviceCode do
  @moduledoc """
  What somebody needs to confirm a login in a browser, on this or another machine: what the function `:show` of
  `HfHub.Auth.login/1` gets.

    * `:url` - the page to open, with the code filled in where the Hub can do that
    * `:page` - the same page without the code, short enough to be typed
    * `:user_code` - the code to enter there
    * `:expires_in` - how many seconds are left for that
  """

  alias HfHub.Decode

  @fields [
    device_code: "device_code",
    user_code: "user_code",
    page: "verification_uri",
    url: "verification_uri_complete",
    interval: {"interval", &__MODULE__.interval/1},
    expires_in: {"expires_in", &__MODULE__.lifetime/1}
  ]

  @type t :: %__MODULE__{
          url: String.t(),
          page: String.t(),
          user_code: String.t(),
          expires_in: pos_integer(),
          interval: pos_integer(),
          device_code: String.t()
        }

  # Whoever has the device code gets the token.
  @derive {Inspect, except: [:device_code]}
  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json) do
    code = Decode.struct(json, __MODULE__, @fields)

    unless Enum.all?([code.device_code, code.user_code, code.page], &is_binary/1) do
      raise Decode.Error, message: "a code or the page is missing"
    end

    %{code | url: code.url || code.page}
  end

  @doc false
  # What RFC 8628 says where the Hub says nothing.
  def interval(number), do: seconds(number, 5)

  @doc false
  def lifetime(number), do: seconds(number, 900)

  # A server that wants to be asked all the time, or never, is not obeyed.
  defp seconds(number, _default) when is_integer(number), do: number |> max(1) |> min(86_400)
  defp seconds(_other, default), do: default
end
