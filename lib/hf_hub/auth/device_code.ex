defmodule HfHub.Auth.DeviceCode do
  @moduledoc """
  What somebody needs to confirm a login in a browser, on this or another machine: what the function `:show` of
  `HfHub.Auth.login/1` gets.
  """

  # Whoever has the device code gets the token.
  @derive {Inspect, except: [:device_code]}

  # The defaults are those of RFC 8628. A server that wants to be asked all the time, or never, is not obeyed.
  use HfHub.Schema,
    device_code: {"device_code", :name, "secret that this machine asks for the token with"},
    user_code: {"user_code", :name, "code to enter on the page"},
    page: {"verification_uri", :name, "address of the page without the code, short enough to be typed"},
    url:
      {{:or, ["verification_uri_complete", "verification_uri"]}, :name,
       "address of the page to open, with the code filled in where the Hub can do that"},
    interval: {"interval", {:clamp, 1..86_400}, "seconds between two questions for the token", default: 5},
    expires_in: {"expires_in", {:clamp, 1..86_400}, "seconds left to enter the code", default: 900}
end
