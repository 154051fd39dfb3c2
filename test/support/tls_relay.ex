defmodule HfHub.TlsRelay do
  # A private certificate authority, and a TLS server that relays to a plain one.
  @moduledoc false

  @doc "Creates an authority and a certificate for these names; returns the paths of PEM files."
  def certificates(dir, names) do
    path = &Path.join(dir, &1)
    key = ~w(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)

    openssl!(
      [
        "req",
        "-x509",
        "-days",
        "2",
        "-subj",
        "/CN=Test CA",
        "-keyout",
        path.("ca.key"),
        "-out",
        path.("ca.pem")
      ] ++
        key ++ ["-addext", "keyUsage=critical,keyCertSign"]
    )

    openssl!(["req", "-subj", "/CN=hub", "-keyout", path.("hub.key"), "-out", path.("hub.csr")] ++ key)

    File.write!(path.("names"), "subjectAltName=" <> Enum.join(names, ","))

    openssl!(
      ~w(x509 -req -days 2 -CAcreateserial -in) ++
        [path.("hub.csr"), "-CA", path.("ca.pem"), "-CAkey", path.("ca.key")] ++
        ["-extfile", path.("names"), "-out", path.("hub.pem")]
    )

    %{ca: path.("ca.pem"), certificate: path.("hub.pem"), key: path.("hub.key")}
  end

  @doc "Creates a self-signed certificate for these names, marked as an authority's, as by OpenSSL's default."
  def self_signed(dir, names) do
    [key, certificate] = for name <- ["self.key", "self.pem"], do: Path.join(dir, name)

    openssl!(
      ~w(req -x509 -days 2 -subj /CN=hub -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes) ++
        ["-keyout", key, "-out", certificate, "-addext", "subjectAltName=" <> Enum.join(names, ",")]
    )

    %{ca: certificate, certificate: certificate, key: key}
  end

  @doc "Replaces a self-signed certificate by an expired one."
  def expire(files),
    do:
      openssl!(~w(x509 -days -1 -in) ++ [files.certificate, "-signkey", files.key, "-out", files.certificate])

  @doc "Starts a proxy that connects every CONNECT to one port of this machine, for any host; returns its own port."
  def tunnel(port) do
    {:ok, listener} = :gen_tcp.listen(0, [:binary, active: false, packet: :line, ip: {127, 0, 0, 1}])
    {:ok, own} = :inet.port(listener)
    spawn_link(fn -> accept_tunnel(listener, port) end)
    own
  end

  defp accept_tunnel(listener, port) do
    with {:ok, outer} <- :gen_tcp.accept(listener) do
      pid = spawn(fn -> receive do: (:go -> tunnel_through(outer, port)) end)
      :ok = :gen_tcp.controlling_process(outer, pid)
      send(pid, :go)
      accept_tunnel(listener, port)
    end
  end

  defp tunnel_through(outer, port) do
    {:ok, "CONNECT " <> _host} = :gen_tcp.recv(outer, 0, 5_000)
    skip_headers(outer)
    {:ok, inner} = :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: true])
    :ok = :gen_tcp.send(outer, "HTTP/1.1 200 Connected\r\n\r\n")
    :ok = :inet.setopts(outer, packet: :raw, active: true)
    pump_plain(outer, inner)
  end

  defp skip_headers(socket) do
    {:ok, line} = :gen_tcp.recv(socket, 0, 5_000)
    if line != "\r\n", do: skip_headers(socket)
  end

  defp pump_plain(outer, inner) do
    receive do
      {:tcp, ^outer, data} -> :gen_tcp.send(inner, data) && pump_plain(outer, inner)
      {:tcp, ^inner, data} -> :gen_tcp.send(outer, data) && pump_plain(outer, inner)
      _closed -> :gen_tcp.close(outer) && :gen_tcp.close(inner)
    end
  end

  @doc "Relays TLS connections to a port of this machine; returns its own port. Stops with its caller."
  def start(files, port) do
    {:ok, _started} = Application.ensure_all_started(:ssl)
    options = [:binary, active: false, certfile: files.certificate, keyfile: files.key, reuseaddr: true]
    {:ok, listener} = :ssl.listen(0, [log_level: :none] ++ options)
    {:ok, {_address, own}} = :ssl.sockname(listener)
    spawn_link(fn -> accept(listener, port) end)
    own
  end

  defp accept(listener, port) do
    with {:ok, socket} <- :ssl.transport_accept(listener) do
      pid = spawn(fn -> receive do: (:go -> relay(socket, port)) end)
      :ok = :ssl.controlling_process(socket, pid)
      send(pid, :go)
      accept(listener, port)
    end
  end

  defp relay(socket, port) do
    with {:ok, outer} <- :ssl.handshake(socket, 5_000),
         {:ok, inner} <- :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: true]) do
      :ssl.setopts(outer, active: true)
      pump(outer, inner)
    end
  end

  defp pump(outer, inner) do
    receive do
      {:ssl, ^outer, data} -> :gen_tcp.send(inner, data) && pump(outer, inner)
      {:tcp, ^inner, data} -> :ssl.send(outer, data) && pump(outer, inner)
      _closed -> :ssl.close(outer) && :gen_tcp.close(inner)
    end
  end

  defp openssl!(args) do
    {output, status} = System.cmd("openssl", args, stderr_to_stdout: true)
    if status != 0, do: raise("openssl failed:\n#{output}")
  end
end
