defmodule HfHub.Auth.DeviceCode do
  @moduledoc """
  The code to confirm a browser login with, on this or another machine. `HfHub.Auth.login/1` calls the function `:show`
  with it.
  """

  # The device code is a secret: with it, a client obtains the token.
  @derive {Inspect, except: [:device_code]}

  # The defaults are those of RFC 8628. The bounds limit how often a server can make the client poll.
  use HfHub.Schema,
    device_code: {"device_code", :name, "secret that this machine asks for the token with", json: false},
    user_code: {"user_code", :name, "code to enter on the page"},
    page: {"verification_uri", :name, "address of the page without the code, short enough to be typed"},
    url:
      {{:or, ["verification_uri_complete", "verification_uri"]}, :name,
       "address of the page to open, with the code filled in where the Hub can do that"},
    interval: {"interval", {:clamp, 1..86_400}, "seconds between two questions for the token", default: 5},
    expires_in: {"expires_in", {:clamp, 1..86_400}, "seconds left to enter the code", default: 900}
end
