defmodule HfHub.Doctor.Certificate do
  # The certificate that the Hub, or a proxy in its place, presents. Whether it is trusted is decided by the engine, whose
  # first request follows; this shows who has issued it.
  #
  # The applications ssl and public_key are called where they are there: this library does not need them.
  @moduledoc false

  import HfHub.Doctor, only: [check: 3, check: 4]

  alias HfHub.Doctor.{Network, Proxy}

  @doc "Returns the result of a TLS handshake."
  @spec result(URI.t(), Proxy.t() | nil, timeout()) :: HfHub.Doctor.Check.t()
  def result(%{scheme: "http"}, _proxy, _timeout),
    do: check(:tls, :ok, "not used: the endpoint is plain HTTP")

  def result(uri, proxy, timeout) do
    case start_ssl() do
      {:ok, _started} -> handshake(uri, proxy, timeout)
      {:error, _missing} -> check(:tls, :skipped, "the application ssl of OTP is not there")
    end
  end

  # Since Elixir 1.15, Mix takes the applications that a project does not name out of the code path.
  defp start_ssl do
    if function_exported?(Mix, :ensure_application!, 1), do: apply(Mix, :ensure_application!, [:ssl])
    Application.ensure_all_started(:ssl)
  end

  defp handshake(_uri, %{uri: %{scheme: scheme}}, _timeout) when scheme != "http",
    do: check(:tls, :skipped, "behind a #{scheme} proxy")

  defp handshake(uri, proxy, timeout) do
    target = if proxy, do: proxy.uri, else: uri

    with {:ok, socket} <- Network.connect(target.host, target.port, timeout),
         :ok <-
           if(proxy, do: Proxy.tunnel(socket, proxy, uri, timeout), else: :inet.setopts(socket, packet: :raw)),
         {:ok, secured} <- apply(:ssl, :connect, [socket, options(uri.host), timeout]),
         {:ok, der} <- apply(:ssl, :peercert, [secured]) do
      apply(:ssl, :close, [secured])
      described(der)
    else
      {:error, {:status, 407}} ->
        check(:tls, :error, "the proxy requires a login (407)",
          advice: "add user and password to the URL in #{proxy.source}"
        )

      {:error, {:status, status}} ->
        check(:tls, :error, "the proxy rejected the tunnel (#{status})",
          advice: "check #{proxy.source}, and add the host to NO_PROXY if it is reached directly"
        )

      {:error, reason} ->
        check(:tls, :error, "no TLS connection: #{reason(reason)}",
          advice: "check the port and the scheme of the endpoint: a server of plain HTTP needs http://"
        )
    end
  end

  # Nothing is sent over this connection, so the certificate need not be trusted.
  defp options(host) do
    name = String.to_charlist(host)
    sni = if match?({:ok, _address}, :inet.parse_address(name)), do: :disable, else: name
    [verify: :verify_none, server_name_indication: sni, log_level: :none]
  end

  defp described(der) do
    {:OTPCertificate, tbs, _algorithm, _signature} = apply(:public_key, :pkix_decode_cert, [der, :otp])
    issuer = name(elem(tbs, 4))
    subject = name(elem(tbs, 6))
    {:Validity, from, until} = elem(tbs, 5)
    message = "certificate of #{subject}, issued by #{issuer}, valid until #{day(until)}"
    today = Date.utc_today()

    cond do
      Date.compare(day(until), today) == :lt ->
        check(:tls, :error, message,
          advice: "the certificate has expired: the server needs a new one, or the clock is wrong"
        )

      Date.compare(day(from), today) == :gt ->
        check(:tls, :error, message <> ", not valid before #{day(from)}",
          advice: "check the clock of this machine"
        )

      true ->
        check(:tls, :ok, message)
    end
  end

  @names [{2, 5, 4, 3}, {2, 5, 4, 10}]

  defp name({:rdnSequence, sequence}) do
    attributes = for set <- sequence, {:AttributeTypeAndValue, type, value} <- set, do: {type, text(value)}

    Enum.find_value(@names, "an unnamed authority", fn type ->
      with {_, text} <- List.keyfind(attributes, type, 0), do: inspect(text)
    end)
  end

  defp text({_kind, text}), do: to_string(text)
  defp text(text), do: to_string(text)

  # Two digits of a year, or four.
  defp day({:utcTime, [a, b | rest]}), do: date(["20", a, b], rest)
  defp day({:generalTime, [a, b, c, d | rest]}), do: date([a, b, c, d], rest)

  defp date(year, [m1, m2, d1, d2 | _time]),
    do: Date.new!(number(year), number([m1, m2]), number([d1, d2]))

  defp number(digits), do: digits |> IO.chardata_to_string() |> String.to_integer()

  defp reason({:tls_alert, {_alert, text}}), do: text |> to_string() |> String.split("\n") |> hd()
  defp reason(:closed), do: "the server closed the connection"
  defp reason(:timeout), do: "no response"
  defp reason(other), do: inspect(other, limit: 5)
end
