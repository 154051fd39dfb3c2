defmodule HfHub.Auth.OAuth do
  # The OAuth device authorization grant (RFC 8628), which a user confirms in a browser, and the
  # renewal of its tokens. Prints nothing and stores nothing.
  @moduledoc false

  alias HfHub.Auth.DeviceCode
  alias HfHub.Config.Setting
  alias HfHub.{Decode, Error, Request}

  @device_code "urn:ietf:params:oauth:grant-type:device_code"

  @doc "Requests a device code, which starts a login."
  @spec begin(keyword()) :: {:ok, DeviceCode.t()} | {:error, Error.t()}
  def begin(opts) do
    "/oauth/device" |> form([], opts) |> Request.run(DeviceCode)
  end

  @doc "Polls until the user has decided or the code has expired; returns the fields of a stored token."
  @spec await(DeviceCode.t(), keyword()) :: {:ok, [{String.t(), String.t()}]} | {:error, Error.t()}
  def await(code, opts) do
    await(code, opts, code.interval, now() + code.expires_in)
  end

  defp await(code, opts, interval, deadline) do
    params = [grant_type: @device_code, device_code: code.device_code]

    case "/oauth/token" |> form(params, opts) |> Request.run(&fields(&1, nil)) do
      {:ok, fields} -> {:ok, fields}
      {:error, error} -> go_on(error, code, opts, interval, deadline)
    end
  end

  defp go_on(error, code, opts, interval, deadline) do
    cond do
      failure = failure(error) -> {:error, failure}
      now() + interval >= deadline -> {:error, expired(error)}
      true -> again(error, code, opts, interval, deadline)
    end
  end

  defp again(error, code, opts, interval, deadline) do
    interval = if code(error) == "slow_down", do: interval + 5, else: interval
    Process.sleep(interval * 1000)
    await(code, opts, interval, deadline)
  end

  # The error that ends the login; `nil` for a temporary one, such as a broken connection.
  defp failure(%Error{kind: :bad_request} = error) do
    case code(error) do
      waiting when waiting in ["authorization_pending", "slow_down"] -> nil
      "access_denied" -> Error.new(:unauthorized, "the login was denied in the browser")
      "expired_token" -> expired(error)
      _other -> error
    end
  end

  defp failure(%Error{kind: kind} = error)
       when kind in [:offline, :no_token, :unauthorized, :forbidden, :not_found, :invalid_name],
       do: error

  defp failure(_transient), do: nil

  # The error code of RFC 6749, section 5.2, and RFC 8628, section 3.5.
  defp code(%Error{details: %{"error" => code}}), do: code
  defp code(_error), do: nil

  # A login whose requests fail for another reason than the missing confirmation cannot see it.
  defp expired(error) do
    last = if code(error), do: "", else: ", and the last request failed: " <> Exception.message(error)

    Error.new(
      :timeout,
      "the login was not confirmed in time#{last}; run HfHub.Auth.login() again for a new code"
    )
  end

  @doc "Exchanges a refresh token for a new token; returns the fields of a stored token."
  @spec refresh(String.t(), keyword()) :: {:ok, [{String.t(), String.t()}]} | {:error, Error.t()}
  def refresh(refresh_token, opts) do
    params = [grant_type: "refresh_token", refresh_token: refresh_token]
    "/oauth/token" |> form(params, opts) |> Request.run(&fields(&1, refresh_token))
  end

  defp form(path, params, opts) do
    client = [client_id: Setting.value(:device_client_id)]

    Request.new(:post, path, [], Keyword.put(opts, :token, false))
    |> Request.form(client ++ params)
    |> Request.secret()
    |> Request.hide(Keyword.values(Keyword.take(params, [:device_code, :refresh_token])))
  end

  # Without a new refresh token in the response, the old one stays valid (RFC 6749, section 6).
  defp fields(%{"access_token" => token} = json, refresh_token) when is_binary(token) do
    refresh_token = if is_binary(json["refresh_token"]), do: json["refresh_token"], else: refresh_token
    lifetime = json["expires_in"]
    expires_at = if is_integer(lifetime), do: to_string(System.os_time(:second) + lifetime)

    for {name, value} <- [hf_token: token, refresh_token: refresh_token, expires_at: expires_at],
        value != nil,
        do: {to_string(name), value}
  end

  defp fields(_other, _refresh_token), do: raise(Decode.Error, message: "the access_token is missing")

  defp now, do: System.monotonic_time(:second)
end
