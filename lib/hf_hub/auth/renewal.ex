defmodule HfHub.Auth.Renewal do
  # Renews the token of a browser login shortly before it expires, when a call uses it, and rewrites
  # the token files for all clients. If the renewal fails, the old token is sent, and the Hub's
  # response describes the problem.
  @moduledoc false

  require Logger

  alias HfHub.Auth.{OAuth, Store}
  alias HfHub.Memory
  alias HfHub.Config.{Setting, Token}
  alias HfHub.Error

  # Seconds, as in the Python client: time before expiry, and between two checks.
  @margin 24 * 3600
  @pause 300

  @doc "Returns the token to send in place of one that was read from the token file."
  @spec fresh(String.t()) :: String.t()
  def fresh(token) do
    key = Memory.key(:renewal, [token])
    if now() < (Memory.get(key) || 0), do: token, else: look(token, key)
  end

  defp look(token, key) do
    stored =
      with {:ok, tokens} <- Store.list(), do: Enum.find(tokens, &(&1.token == token and &1.refreshable))

    case stored do
      %{expires_at: time} ->
        due = DateTime.to_unix(time) - @margin
        if due > now(), do: keep(token, key, due), else: renew(stored, key)

      _none_or_unreadable ->
        # Another process may have renewed it since it was read.
        with {newer, _path} when newer != token <- Token.file() do
          newer
        else
          _same -> keep(token, key, now() + @pause)
        end
    end
  end

  defp renew(stored, key) do
    opts = [retries: 0, timeout: Setting.value(:download_timeout)]

    if Setting.value(:offline) do
      stored.token
    else
      stored.name
      |> Store.renew(stored.token, &OAuth.refresh(&1.refresh_token, opts))
      |> renewed(stored, key)
    end
  end

  defp renewed({:ok, token}, _stored, _key) do
    # Without the pause, a token whose lifetime is shorter than the margin would be renewed by each call.
    keep(token, Memory.key(:renewal, [token]), now() + @pause)
  end

  defp renewed({:error, %Error{details: %{"error" => "invalid_grant"}}}, stored, key) do
    Logger.warning(
      "the login #{inspect(stored.name)} has expired; log in again with HfHub.Auth.login(force: true)"
    )

    # An atom is greater than any number, so the renewal is not tried again.
    keep(stored.token, key, :never)
  end

  defp renewed({:error, error}, stored, key) do
    Logger.warning("cannot renew the token #{inspect(stored.name)}: #{Exception.message(error)}")
    keep(stored.token, key, now() + @pause)
  end

  defp keep(token, key, until) do
    Memory.put(key, until)
    token
  end

  defp now, do: System.os_time(:second)
end
