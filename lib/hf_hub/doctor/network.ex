defmodule HfHub.Doctor.Network do
  # The steps of a connection, one after the other: name, connection, tunnel, TLS. What follows a failed step is not tried.
  @moduledoc false

  import HfHub.Doctor, only: [check: 3, check: 4]

  alias HfHub.Config.{Setting, Token}
  alias HfHub.Doctor.{Certificate, Proxy}
  alias HfHub.RegularFile

  @doc "Returns whether the Hub can be reached, and the results."
  @spec checks(map()) :: {boolean(), [HfHub.Doctor.Check.t()]}
  def checks(%{uri: %{scheme: scheme, host: host} = uri} = place)
      when scheme in ["http", "https"] and is_binary(host) and host != "" do
    proxy = Proxy.of(uri)
    target = if proxy, do: proxy.uri, else: uri
    first = [proxy(proxy), certificates()]

    {reached?, steps} =
      steps([
        fn -> dns(target) end,
        fn -> tcp(target, proxy, place.timeout) end,
        fn -> Certificate.result(uri, proxy, place.timeout) end
      ])

    {reached?, first ++ steps}
  end

  def checks(place) do
    message = "#{inspect(place.endpoint)} is not an http or https URL"
    {false, [check(:endpoint, :error, message, advice: "check the option :endpoint, and HF_ENDPOINT")]}
  end

  defp steps(steps) do
    Enum.reduce_while(steps, {true, []}, fn step, {_reached?, done} ->
      case step.() do
        %{status: :error} = failed -> {:halt, {false, done ++ [failed]}}
        result -> {:cont, {true, done ++ [result]}}
      end
    end)
  end

  defp proxy(nil), do: check(:proxy, :ok, "none")
  defp proxy(proxy), do: check(:proxy, :ok, "#{URI.to_string(proxy.uri)} (#{proxy.source})")

  defp certificates do
    case {Setting.find(:ca_file), Setting.find(:ca_dir)} do
      {{path, origin}, _dirs} when is_binary(path) -> ca_file(path, Token.place(origin))
      {_none, {dirs, origin}} when is_binary(dirs) -> check(:ca, :ok, "#{dirs} (#{Token.place(origin)})")
      _system -> check(:ca, :ok, "those of the system")
    end
  end

  defp ca_file(path, source) do
    advice = "set #{source} to a PEM file of certificates, or unset it to use those of the system"

    cond do
      File.dir?(path) ->
        check(:ca, :ok, "the files in #{path} (#{source})")

      match?({:ok, _text}, pem(path)) ->
        check(:ca, :ok, "#{path} (#{source})")

      true ->
        check(:ca, :error, "#{path} (#{source}): #{elem(pem(path), 1)}", advice: advice)
    end
  end

  defp pem(path) do
    case RegularFile.read(path, 10_000_000) do
      {:ok, text} ->
        if text =~ "BEGIN CERTIFICATE", do: {:ok, text}, else: {:error, "it contains no certificate"}

      {:error, reason} ->
        {:error, to_string(:file.format_error(reason))}
    end
  end

  defp dns(%{host: host}) do
    name = String.to_charlist(host)

    addresses =
      for family <- [:inet, :inet6],
          {:ok, found} <- [:inet.getaddrs(name, family)],
          address <- found,
          do: address

    cond do
      match?({:ok, _address}, :inet.parse_address(name)) ->
        check(:dns, :ok, "#{host} is an address")

      addresses == [] ->
        check(:dns, :error, "#{host}: no address found",
          advice: "check the host name, the DNS server and the network; behind a proxy, set HTTPS_PROXY"
        )

      true ->
        check(
          :dns,
          :ok,
          "#{host}: #{addresses |> Enum.uniq() |> Enum.take(4) |> Enum.map_join(", ", &:inet.ntoa/1)}"
        )
    end
  end

  defp tcp(%{host: host, port: port}, proxy, timeout) do
    started = System.monotonic_time(:millisecond)

    case connect(host, port, timeout) do
      {:ok, socket} ->
        :gen_tcp.close(socket)
        check(:tcp, :ok, "#{host}:#{port} in #{System.monotonic_time(:millisecond) - started} ms")

      {:error, reason} ->
        check(:tcp, :error, "#{host}:#{port}: #{reason(reason)}", advice: tcp_advice(reason, proxy))
    end
  end

  @doc "Connects by IPv4, or else by IPv6."
  @spec connect(String.t(), :inet.port_number(), timeout()) :: {:ok, :gen_tcp.socket()} | {:error, term()}
  def connect(host, port, timeout) do
    name = String.to_charlist(String.trim(host, "[]"))
    opts = [:binary, active: false, packet: :http_bin]

    with {:error, first} <- :gen_tcp.connect(name, port, [:inet | opts], timeout),
         {:error, _second} <- :gen_tcp.connect(name, port, [:inet6 | opts], timeout),
         do: {:error, first}
  end

  defp reason(:timeout), do: "no response"
  defp reason(reason), do: reason |> :inet.format_error() |> to_string()

  defp tcp_advice(_reason, %{source: source}), do: "the proxy cannot be reached: check #{source}"

  defp tcp_advice(:econnrefused, nil),
    do: "nothing listens on this port: check the port in the endpoint, and whether the server runs"

  defp tcp_advice(_reason, nil),
    do: "a firewall may block the connection; where a proxy is required, set HTTPS_PROXY"
end
