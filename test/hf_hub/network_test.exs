defmodule HfHub.NetworkTest do
  # Real proxies and a real TLS server. Sets environment variables, which are shared by the whole VM.
  use HfHub.Case, async: false

  alias HfHub.{Auth, Download, Error, TlsRelay, Vm}

  @names ~w(HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
    SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE HEX_CACERTS_PATH HF_HUB_ALLOW_HTTP_TOKEN)

  setup do: own_env(@names)

  # The URL of this machine by a host name for which proxies are used.
  defp elsewhere(endpoint) do
    {:ok, name} = :inet.gethostname()
    %{URI.parse(endpoint) | host: to_string(name), authority: nil} |> URI.to_string()
  end

  defp get(context, id, file, more \\ []) do
    with {:ok, path} <-
           Download.hf_hub_download(
             opts(context, [repo_id: id, filename: file, force_download: true] ++ more)
           ),
         do: {:ok, File.read!(path)}
  end

  defp free_port do
    {:ok, socket} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
    {:ok, port} = :inet.port(socket)
    :gen_tcp.close(socket)
    port
  end

  # Runs a program until the test ends, and waits until it listens; on another port if the
  # free one was taken meanwhile.
  defp serve(program, args, log, tries \\ 5) do
    port = free_port()
    program = System.find_executable(program)
    command = ["-c", "exec \"$0\" \"$@\" >>#{log} 2>&1", program | args.(port)]
    opened = Vm.open({System.find_executable("sh"), command}, [])

    case Port.info(opened, :os_pid) do
      {:os_pid, pid} -> on_exit(fn -> System.cmd("kill", [to_string(pid)], stderr_to_stdout: true) end)
      nil -> :ended
    end

    eventually(fn -> Port.info(opened) == nil or listens?(port) end, 1000)
    if Port.info(opened) == nil and tries > 1, do: serve(program, args, log, tries - 1), else: port
  end

  defp listens?(port) do
    case :gen_tcp.connect({127, 0, 0, 1}, port, []) do
      {:ok, socket} -> :gen_tcp.close(socket) == :ok
      {:error, _not_yet} -> false
    end
  end

  defp tinyproxy(context, more \\ "") do
    [log, config] = for name <- ["proxy.log", "proxy.conf"], do: Path.join(context.dir, name)

    args = fn port ->
      File.write!(config, "Port #{port}\nListen 127.0.0.1\nTimeout 60\nLogLevel Connect\n#{more}\n")
      ["-d", "-c", config]
    end

    port = serve("tinyproxy", args, log)

    {port,
     fn -> log |> File.read!() |> String.split("\n") |> Enum.count(&(&1 =~ ~r/Request .*(GET|CONNECT) /)) end}
  end

  describe "a proxy" do
    @describetag :proxies

    setup context do
      {:ok, _address} =
        context.endpoint
        |> elsewhere()
        |> URI.parse()
        |> Map.get(:host)
        |> to_charlist()
        |> :inet.getaddr(:inet)

      {id, _commit} = repo(context, %{"a.txt" => "small", "b.safetensors" => large(300_000)})
      {:ok, id: id, far: elsewhere(context.endpoint)}
    end

    test "is used except for this machine and NO_PROXY", %{id: id, far: far} = context do
      {port, used} = tinyproxy(context)
      {:ok, host} = :inet.gethostname()

      for {name, value} <- [
            {"HTTP_PROXY", "http://127.0.0.1:#{port}"},
            {"http_proxy", "127.0.0.1:#{port}"},
            {"ALL_PROXY", "http://127.0.0.1:#{port}"},
            {"all_proxy", "http://127.0.0.1:#{port}"}
          ] do
        System.put_env(name, value)
        before = used.()
        assert {:ok, "small"} = get(context, id, "a.txt", endpoint: far, token: false)
        assert {:ok, <<_::300_000*8>>} = get(context, id, "b.safetensors", endpoint: far, token: false)
        assert used.() >= before + 4, name
        System.delete_env(name)
      end

      System.put_env("HTTP_PROXY", "http://127.0.0.1:#{port}")
      before = used.()
      assert {:ok, "small"} = get(context, id, "a.txt")

      for no_proxy <- ["other, #{host}", "*"] do
        System.put_env("NO_PROXY", no_proxy)
        assert {:ok, "small"} = get(context, id, "a.txt", endpoint: far, token: false)
      end

      assert used.() == before
    end

    test "receives the password in its URL, and no other server does", %{id: id, far: far} = context do
      {port, used} = tinyproxy(context, "BasicAuth me secret1")
      System.put_env("HTTP_PROXY", "http://me:secre%741@127.0.0.1:#{port}")
      assert {:ok, "small"} = get(context, id, "a.txt", endpoint: far, token: false)
      assert used.() > 0

      System.put_env("HTTP_PROXY", "http://127.0.0.1:#{port}")
      opts = [endpoint: far, token: false, retries: 0]
      assert {:error, %Error{status: 407, message: message}} = get(context, id, "a.txt", opts)
      assert message =~ "add user and password to its URL"
      System.put_env("HTTP_PROXY", "http://me:hf_CANARY@127.0.0.1:#{port}")
      assert {:error, %Error{} = error} = get(context, id, "a.txt", opts)
      refute inspect(error) =~ "CANARY"
    end

    test "that cannot be reached is named in the error", %{id: id, far: far} = context do
      port = free_port()
      System.put_env("HTTP_PROXY", "http://me:hf_CANARY@127.0.0.1:#{port}")

      assert {:error, %Error{kind: :transport} = error} =
               get(context, id, "a.txt", endpoint: far, token: false, retries: 0)

      assert error.message =~ "through the proxy http://127.0.0.1:#{port}/ (from HTTP_PROXY)"
      refute inspect(error) =~ "CANARY"
      System.put_env("HTTP_PROXY", "http://me:hf_CANARY@nonsense:nonsense")

      assert {:error, %Error{kind: :transport} = error} =
               get(context, id, "a.txt", endpoint: far, token: false, retries: 0)

      assert error.message =~ "invalid proxy URL in HTTP_PROXY: expected scheme://host:port"
      refute inspect(error) =~ "CANARY"
    end

    test "is not named in errors of hosts that bypass it", %{id: id, far: far} = context do
      {:ok, name} = :inet.gethostname()
      %{port: port} = nobody = %{URI.parse(far) | port: free_port(), authority: nil}
      System.put_env("HTTP_PROXY", "http://127.0.0.1:#{free_port()}")
      ask = [endpoint: URI.to_string(nobody), token: false, retries: 0]

      for no_proxy <- ["#{name}", "#{String.upcase(to_string(name))}:1", "*", "10.0.0.0/8, .#{name}"] do
        System.put_env("NO_PROXY", no_proxy)
        assert {:error, %Error{kind: :transport, message: message}} = get(context, id, "a.txt", ask)
        assert message =~ "connection refused by #{name}:#{port}" and not (message =~ "proxy"), no_proxy
      end

      System.put_env("NO_PROXY", "192.0.2.0/24")
      ask = Keyword.merge(ask, endpoint: "http://192.0.2.1:#{port}", etag_timeout: 200)
      assert {:error, %Error{message: message}} = get(context, id, "a.txt", ask)
      assert message =~ "192.0.2.1:#{port}" and not (message =~ "proxy")
    end

    test "may be a SOCKS proxy, with and without a password", %{id: id, far: far} = context do
      for {args, login} <- [{[], ""}, {["-u", "me", "-P", "secret"], "me:secret@"}],
          scheme <- ["socks5", "socks5h"] do
        log = Path.join(context.dir, "socks#{System.unique_integer([:positive])}.log")
        port = serve("microsocks", &(["-i", "127.0.0.1", "-p", to_string(&1)] ++ args), log)
        System.put_env("ALL_PROXY", "#{scheme}://#{login}127.0.0.1:#{port}")
        assert {:ok, "small"} = get(context, id, "a.txt", endpoint: far, token: false)
        assert {:ok, <<_::300_000*8>>} = get(context, id, "b.safetensors", endpoint: far, token: false)
        assert File.read!(log) =~ "connected to"

        if login != "" do
          System.put_env("ALL_PROXY", "#{scheme}://me:hf_CANARY@127.0.0.1:#{port}")

          assert {:error, %Error{} = error} =
                   get(context, id, "a.txt", endpoint: far, token: false, retries: 0)

          assert error.message =~ "requires authentication" and not (inspect(error) =~ "CANARY")
        end
      end
    end

    test "tunnels TLS", %{id: id} = context do
      {:ok, host} = :inet.gethostname()
      files = TlsRelay.certificates(context.dir, ["DNS:#{host}"])
      relay = TlsRelay.start(files, URI.parse(context.endpoint).port)
      {port, used} = tinyproxy(context, "BasicAuth me secret")
      System.put_env(%{"HTTPS_PROXY" => "http://me:secret@127.0.0.1:#{port}", "SSL_CERT_FILE" => files.ca})
      assert {:ok, "small"} = get(context, id, "a.txt", endpoint: "https://#{host}:#{relay}", token: token())
      assert used.() > 0
      refute File.read!(Path.join(context.dir, "proxy.log")) =~ token()
      System.put_env("HTTPS_PROXY", "http://127.0.0.1:#{port}")

      assert {:error, %Error{} = error} =
               get(context, id, "a.txt", endpoint: "https://#{host}:#{relay}", retries: 0)

      assert error.message =~ "requires authentication"
    end
  end

  describe "a plain HTTP Hub" do
    import ExUnit.CaptureLog

    setup context do
      {id, _commit} = repo(context, %{"a.txt" => "public"})
      private = writable(context, %{"a.txt" => "private"}, private: true)
      far = elsewhere(context.endpoint)
      :persistent_term.erase({HfHub.Native.Hub, :withheld, far})
      {:ok, id: id, private: private, far: far, ask: [endpoint: far, token: token(), retries: 0]}
    end

    test "is read without the token, which is logged once", %{id: id, ask: ask, far: far} = context do
      log = capture_log(fn -> for _ <- 1..2, do: assert({:ok, "public"} = get(context, id, "a.txt", ask)) end)
      assert [_before, said] = String.split(log, "not sent with requests that only read: ")
      assert said =~ "HF_HUB_ALLOW_HTTP_TOKEN=#{far}"
      refute Enum.any?(requests(id), & &1["authorization"])
      assert capture_log(fn -> assert {:ok, "public"} = get(context, id, "a.txt", ask) end) == ""
    end

    test "receives the token if a setting allows it", %{private: private, ask: ask, far: far} = context do
      assert {:error, %Error{kind: :repo_not_found} = error} = get(context, private, "a.txt", ask)
      assert error.message =~ "allow_http_token: [\"#{far}\"]"
      assert {:error, %Error{kind: :no_token} = error} = Auth.whoami(ask)
      assert error.message =~ "none was sent" and error.message =~ "HF_HUB_ALLOW_HTTP_TOKEN"

      assert {:error, %Error{kind: :unauthorized}} =
               HfHub.Commit.upload_file({:binary, "x"}, "x", private, ask)

      allowed = [allow_http_token: [far]] ++ ask
      assert {:ok, "private"} = get(context, private, "a.txt", allowed)
      System.put_env("HF_HUB_ALLOW_HTTP_TOKEN", "http://other.lan, #{far}")
      assert {:ok, %{name: "reader"}} = Auth.whoami(ask)
      assert {:ok, _info} = HfHub.Commit.upload_file({:binary, large(2_000_000)}, "x.bin", private, ask)
      row = Enum.find(HfHub.Config.explain().settings, &(&1.name == :allow_http_token))
      assert {row.value, row.origin} == {["http://other.lan", far], {:env, "HF_HUB_ALLOW_HTTP_TOKEN"}}

      Application.put_env(:hf_hub, :allow_http_token, ["http://other.lan"])
      assert {:error, %Error{kind: :no_token}} = Auth.whoami(ask)
      Application.put_env(:hf_hub, :allow_http_token, [far])
      assert {:ok, %{name: "reader"}} = Auth.whoami(ask)
      assert {:error, %Error{kind: :invalid_name} = error} = Auth.whoami([allow_http_token: ["other"]] ++ ask)
      assert error.message =~ ":allow_http_token"
    end
  end

  describe "a wrong endpoint" do
    @describetag :openssl

    test "is an error with its port and the likely mistake", context do
      plain = URI.parse(context.endpoint).port
      tls = context.dir |> TlsRelay.certificates(["DNS:localhost"]) |> TlsRelay.start(plain)
      nobody = free_port()

      for {endpoint, words} <- [
            {"https://127.0.0.1:#{plain}", "127.0.0.1:#{plain} speaks plain http, not TLS"},
            {"http://localhost:#{tls}", "localhost:#{tls} does not speak plain http"},
            {"http://127.0.0.1:#{nobody}", "connection refused by 127.0.0.1:#{nobody}; check the endpoint"},
            {"https://localhost:#{tls}", "the certificate of localhost:#{tls} is not trusted"}
          ] do
        # A retry would not help, so the call does not wait.
        ask = [endpoint: endpoint, token: token(), retries: 1, retry_delay: 10]
        assert {:error, %Error{kind: :transport, message: message}} = Auth.whoami(ask)
        assert message =~ words
      end
    end
  end

  describe "a private authority" do
    @describetag :openssl

    setup context do
      files = TlsRelay.certificates(context.dir, ["DNS:localhost"])
      port = TlsRelay.start(files, URI.parse(context.endpoint).port)

      {:ok,
       ca: files.ca, port: port, ask: [endpoint: "https://localhost:#{port}", token: token(), retries: 0]}
    end

    test "is rejected without a setting, with advice", %{ask: ask, port: port} do
      assert {:error, %Error{kind: :transport} = error} = Auth.whoami(ask)
      assert error.message =~ "TLS" and error.message =~ "localhost" and error.message =~ "SSL_CERT_FILE"
      ask = Keyword.merge(ask, retries: 3, retry_delay: 60_000)
      assert {:error, %Error{kind: :transport}} = Auth.whoami(ask)
      System.put_env("SSL_CERT_FILE", "/nowhere/ca.pem")

      assert {:error, %Error{message: message}} =
               Auth.whoami(endpoint: "https://127.0.0.1:#{port}", token: token())

      assert message =~ "/nowhere/ca.pem" and message =~ "SSL_CERT_FILE"
    end

    test "is trusted while one of the variables is set", %{ask: ask, ca: ca, dir: dir} do
      folder = Path.join(dir, "certificates")
      File.mkdir_p!(folder)
      File.cp!(ca, Path.join(folder, "company.pem"))
      File.write!(Path.join(folder, "README"), "no certificate")

      for {name, value} <- [
            {"SSL_CERT_FILE", ca},
            {"SSL_CERT_DIR", "/nowhere/there:#{folder}"},
            {"SSL_CERT_DIR", folder},
            {"REQUESTS_CA_BUNDLE", ca},
            {"REQUESTS_CA_BUNDLE", folder},
            {"CURL_CA_BUNDLE", ca},
            {"HEX_CACERTS_PATH", ca}
          ] do
        System.put_env(name, value)
        assert {:ok, %{name: "reader"}} = Auth.whoami(ask), "#{name}=#{value}"
        System.delete_env(name)
        assert {:error, %Error{kind: :transport}} = Auth.whoami(ask)
      end

      Application.put_env(:hf_hub, :ca_file, ca)
      assert {:ok, %{name: "reader"}} = Auth.whoami(ask)
    end

    test "is rejected for another host name", %{ask: ask, ca: ca, port: port} do
      System.put_env("SSL_CERT_FILE", ca)
      ask = Keyword.put(ask, :endpoint, "https://127.0.0.1:#{port}")
      assert {:error, %Error{kind: :transport, message: message}} = Auth.whoami(ask)
      assert message =~ "127.0.0.1:#{port} is for another name"
    end

    test "in a file without a certificate is an error that names the file", %{ask: ask, dir: dir} do
      empty = Path.join(dir, "empty.pem")
      File.write!(empty, "nothing")
      System.put_env("SSL_CERT_FILE", empty)
      assert {:error, %Error{message: message}} = Auth.whoami(ask)
      assert message =~ empty and message =~ "PEM"
    end

    test "is not required if the server's own certificate is configured", %{dir: dir, endpoint: endpoint} do
      files = TlsRelay.self_signed(dir, ["DNS:localhost"])
      port = TlsRelay.start(files, URI.parse(endpoint).port)
      ask = &[endpoint: "https://#{&1}:#{port}", token: token(), retries: 0]
      assert {:error, %Error{kind: :transport}} = Auth.whoami(ask.("localhost"))
      System.put_env("SSL_CERT_FILE", files.ca)
      assert {:ok, %{name: "reader"}} = Auth.whoami(ask.("localhost"))
      assert {:error, %Error{kind: :transport, message: message}} = Auth.whoami(ask.("127.0.0.1"))
      assert message =~ "127.0.0.1:#{port} is for another name"

      # Another certificate with the same name and key is not the configured one.
      other = Path.join(dir, "other")
      File.mkdir_p!(other)
      System.put_env("SSL_CERT_FILE", TlsRelay.self_signed(other, ["DNS:localhost"]).ca)
      assert {:error, %Error{kind: :transport, message: message}} = Auth.whoami(ask.("localhost"))
      assert message =~ "not trusted"
    end

    test "an expired self-signed certificate is rejected", context do
      files = TlsRelay.self_signed(context.dir, ["DNS:localhost"])
      TlsRelay.expire(files)
      port = TlsRelay.start(files, URI.parse(context.endpoint).port)
      System.put_env("SSL_CERT_FILE", files.ca)
      ask = [endpoint: "https://localhost:#{port}", token: token(), retries: 0]
      assert {:error, %Error{kind: :transport, message: message}} = Auth.whoami(ask)
      assert message =~ "has expired"
    end

    test "redirects of GET requests to the public Hub are followed without the token", context do
      {id, commit} = repo(context, %{"a.txt" => "small"})
      files = TlsRelay.certificates(context.dir, ["DNS:huggingface.co", "DNS:elsewhere.example"])
      relay = TlsRelay.start(files, URI.parse(context.endpoint).port)

      System.put_env(%{
        "HTTPS_PROXY" => "http://127.0.0.1:#{TlsRelay.tunnel(relay)}",
        "SSL_CERT_FILE" => files.ca
      })

      ask = [endpoint: context.endpoint, token: token(), retries: 0]

      plant = fn host ->
        location = "https://#{host}/api/models/#{id}"
        fault("/api/models/#{id}", %{kind: "redirect", location: location, code: 307}, %{times: 1})
      end

      plant.("huggingface.co")
      assert {:ok, %{sha: ^commit}} = HfHub.Api.model_info(id, ask)
      assert [true, false] = for(request <- requests(id), do: request["authorization"]) |> Enum.take(-2)
      plant.("elsewhere.example")
      assert {:error, %Error{kind: :invalid_response, message: message}} = HfHub.Api.model_info(id, ask)
      assert message =~ "elsewhere.example, which is not followed"
      plant.("huggingface.co")
      assert {:error, %Error{message: message}} = HfHub.Git.create_branch(id, "new", ask)
      assert message =~ "huggingface.co, which is not followed"
    end
  end
end
