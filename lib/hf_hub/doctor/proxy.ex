defmodule HfHub.Doctor.Proxy do
  # Finds the proxy of a URL, and connects through it. The engine does both for requests; this is to see each step.
  @moduledoc false

  alias HfHub.Config.{Setting, Token}

  @type t :: %{uri: URI.t(), source: String.t()}

  @doc "Returns the proxy that requests to the URL use; `nil` if they use none."
  @spec of(URI.t()) :: t() | nil
  def of(uri) do
    name = if uri.scheme == "https", do: :https_proxy, else: :http_proxy

    case Setting.find(name) do
      {url, origin} when is_binary(url) ->
        unless direct?(uri.host), do: %{uri: parse(url), source: Token.place(origin)}

      _none ->
        nil
    end
  end

  defp parse(url) do
    uri = URI.parse(if(url =~ "://", do: url, else: "http://" <> url))
    %{uri | port: uri.port || 1080}
  end

  # The subset of rules that host names need; networks are compared by the engine only.
  defp direct?(host) do
    local? = host in ["localhost", "::1"] or String.starts_with?(host || "", "127.")

    local? or
      (Setting.value(:no_proxy) || "") |> String.split(",") |> Enum.any?(&excluded?(String.trim(&1), host))
  end

  defp excluded?("", _host), do: false
  defp excluded?("*", _host), do: true

  defp excluded?(entry, host) do
    name = entry |> String.trim_leading(".") |> String.split(":") |> hd() |> String.downcase()
    host = String.downcase(host)
    host == name or String.ends_with?(host, "." <> name)
  end

  @doc "Opens a tunnel to a host through a connection to an HTTP proxy."
  @spec tunnel(:gen_tcp.socket(), t(), URI.t(), timeout()) :: :ok | {:error, term()}
  def tunnel(socket, proxy, uri, timeout) do
    request = [
      "CONNECT #{uri.host}:#{uri.port} HTTP/1.1\r\nHost: #{uri.host}:#{uri.port}\r\n",
      login(proxy),
      "\r\n"
    ]

    with :ok <- :gen_tcp.send(socket, request),
         {:ok, {:http_response, _version, status, _reason}} <- :gen_tcp.recv(socket, 0, timeout),
         :ok <- headers(socket, timeout) do
      if status in 200..299, do: :inet.setopts(socket, packet: :raw), else: {:error, {:status, status}}
    end
  end

  defp login(%{uri: %{userinfo: nil}}), do: []

  defp login(%{uri: %{userinfo: info}}),
    do: ["Proxy-Authorization: Basic ", Base.encode64(URI.decode(info)), "\r\n"]

  defp headers(socket, timeout) do
    case :gen_tcp.recv(socket, 0, timeout) do
      {:ok, :http_eoh} -> :ok
      {:ok, _header} -> headers(socket, timeout)
      error -> error
    end
  end
end
