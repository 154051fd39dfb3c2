defmodule HfHub.DoctorTest do
  # Against real Hubs and broken surroundings. Sets variables of the whole VM.
  use HfHub.Case, async: false

  alias HfHub.{Doctor, TlsRelay, Vm}

  @names ~w(HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
    SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE HEX_CACERTS_PATH HF_HUB_OFFLINE HF_TOKEN HF_HUB_ETAG_TIMEOUT)

  setup do: own_env(@names)

  defp run(context, more),
    do:
      Doctor.run(Keyword.merge([endpoint: context.endpoint, cache_dir: context.cache, timeout: 2_000], more))

  # Without the cache, whose check of locks starts another VM.
  defp ask(context, more \\ []), do: run(context, [groups: [:network, :hub, :account]] ++ more)

  defp find(report, name), do: Enum.find(report.checks, &(&1.name == name))

  defp failed(report), do: for(check <- report.checks, check.status == :error, do: check.name)

  test "a healthy machine has no failed check, and leaves nothing in the cache", context do
    {id, _commit} = repo(context, %{"config.json" => "{}"})
    report = run(context, repo_id: id, token: token())
    assert failed(report) == []

    assert for(check <- report.checks, do: check.name) ==
             ~w(versions settings proxy ca dns tcp tls endpoint clock dialect token access space cache rename symlinks locks)a

    for name <- ~w(versions tcp endpoint clock dialect token access cache rename symlinks locks)a,
        do: assert(find(report, name).status == :ok, "#{inspect(find(report, name))}")

    assert find(report, :token).message =~ "hf_****aaaa of the option :token: reader, write token"
    assert find(report, :dialect).message =~ "names the commit, the etag is a git object id"
    refute File.exists?(context.cache)
    assert Enum.filter(File.ls!(context.dir), &(&1 =~ "doctor")) == []
  end

  test "every check that is not ok has an advice, and lines fit a report to paste", context do
    report = run(context, endpoint: "http://127.0.0.1:1", cache_dir: "/proc/none")
    for check <- report.checks, check.status == :error, do: assert(check.advice, inspect(check))
    text = to_string(report)
    assert text =~ ~r/^FAIL  tcp +127\.0\.0\.1:1: connection refused\n +→ nothing listens on this port/m
    assert inspect(report) =~ "#HfHub.Doctor.Report<\nok    versions"
  end

  test "a wrong port, a name without an address and an invalid URL end at their step", context do
    assert failed(ask(context, endpoint: "http://127.0.0.1:1")) == [:tcp]
    report = ask(context, endpoint: "http://nothing.invalid")
    assert failed(report) == [:dns]
    assert find(report, :tcp) == nil
    report = ask(context, endpoint: "hub.lan")
    assert find(report, :endpoint).message =~ "is not an http or https URL"
  end

  @tag :openssl
  test "shows who issued a certificate, and what to do if it is not trusted or has expired", context do
    %{port: port} = URI.parse(context.endpoint)
    files = TlsRelay.certificates(context.dir, ["IP:127.0.0.1"])
    report = ask(context, endpoint: "https://127.0.0.1:#{TlsRelay.start(files, port)}")
    assert find(report, :tls).message =~ ~s(certificate of "hub", issued by "Test CA", valid until )
    assert failed(report) == [:endpoint]
    assert find(report, :endpoint).advice =~ "SSL_CERT_FILE"

    System.put_env("SSL_CERT_FILE", files.ca)
    report = ask(context, endpoint: "https://127.0.0.1:#{TlsRelay.start(files, port)}")
    assert failed(report) == []
    assert find(report, :ca).message == "#{files.ca} (SSL_CERT_FILE)"

    expired = TlsRelay.self_signed(context.dir, ["IP:127.0.0.1"])
    TlsRelay.expire(expired)
    report = ask(context, endpoint: "https://127.0.0.1:#{TlsRelay.start(expired, port)}")
    assert failed(report) == [:tls]
    assert find(report, :tls).advice =~ "has expired"
  end

  test "shows that a port speaks plain HTTP", context do
    report = ask(context, endpoint: String.replace(context.endpoint, "http://", "https://"))
    assert failed(report) == [:tls]
    assert find(report, :tls).advice =~ "http://"
  end

  test "a file without a certificate is an error", context do
    path = Path.join(context.dir, "ca.pem")
    File.write!(path, "not a certificate")
    System.put_env("SSL_CERT_FILE", path)
    assert %{status: :error, message: message, advice: advice} = find(ask(context), :ca)
    assert message =~ "it contains no certificate" and advice =~ "SSL_CERT_FILE"
    System.put_env("SSL_CERT_FILE", path <> "none")
    assert find(ask(context), :ca).message =~ "no such file"
  end

  defp hub_with(headers, body \\ "[]"),
    do: HfHub.Test.start_hub(%{}, routes: %{"GET /api/models" => {200, headers, body}}).endpoint

  @json {"content-type", "application/json"}

  test "a clock that is off by a day is an error, and one that is off by a minute a warning", context do
    for {seconds, status, words} <- [
          {-86_400, :error, "24 hours ahead of the Hub"},
          {86_400, :error, "hours behind the Hub"},
          {-90, :warning, "ahead of the Hub"},
          {0, :ok, "as the Hub's"}
        ] do
      time = DateTime.utc_now() |> DateTime.add(seconds) |> Calendar.strftime("%a, %d %b %Y %H:%M:%S GMT")
      check = ask(context, endpoint: hub_with([@json, {"date", time}])) |> find(:clock)
      assert check.status == status, inspect(check)
      assert check.message =~ words
    end

    for text <- ["yesterday", "Sun, 99 Nov 1994 08:49:37 GMT"],
        do: assert(find(ask(context, endpoint: hub_with([@json, {"date", text}])), :clock).status == :skipped)
  end

  test "a login page in place of the Hub is an error", context do
    report = ask(context, endpoint: hub_with([{"content-type", "text/html"}], "<html>"))
    assert find(report, :endpoint).message =~ "text/html, not with JSON"
    assert find(report, :endpoint).advice =~ "login page"
  end

  test "a Hub that responds with errors, or not at all, is an error with an advice", context do
    for {fault, advice} <- [
          {{:status, 500}, "try again later"},
          {:hang, "does not respond"},
          {:hang_up, "where the connection broke"}
        ] do
      hub = HfHub.Test.start_hub()
      HfHub.Test.fault(hub, "/api/models", fault)
      check = find(ask(context, endpoint: hub.endpoint, timeout: 300), :endpoint)
      assert check.status == :error and check.advice =~ advice, inspect(check)
    end
  end

  test "shows the dialect of a mirror", context do
    {id, _commit} = repo(context, %{"config.json" => "{}"})
    endpoint = dialect(id, "etag_is_bare_sha1")
    dialect(id, "no_commit")
    check = find(ask(context, endpoint: endpoint, repo_id: id), :dialect)
    assert check.status == :warning and check.message =~ "no commit"
    assert check.advice =~ "X-Repo-Commit"

    # Without a repository, the first one that the Hub lists; without any, nothing.
    files = %{"org/model" => %{".gitattributes" => "a"}}
    hub = HfHub.Test.start_hub(files, routes: %{"GET /api/models" => [%{id: "org/model"}]})
    check = find(ask(context, endpoint: hub.endpoint), :dialect)
    assert check.status == :ok and check.message =~ "for org/model: names the commit"
    assert find(ask(context, endpoint: hub_with([@json])), :dialect).status == :skipped
  end

  test "a wrong token is an error, and none is not", context do
    wrong = "hf_wrongwrongwrongwrong"
    report = ask(context, token: wrong)
    assert failed(report) == [:token]
    assert find(report, :token).advice =~ "create another one"
    refute inspect(report) <> to_string(report) =~ wrong
    assert find(ask(context, token: false), :token).status == :ok
    System.put_env("HF_TOKEN", token())
    assert find(ask(context), :token).message =~ "of HF_TOKEN: reader"
  end

  test "a token of any form, and a password in the endpoint or of a proxy, are not shown", context do
    "http://" <> host = context.endpoint
    secret = "sesame-open-1"
    System.put_env("HTTPS_PROXY", "http://me:#{secret}@127.0.0.1:1")
    report = ask(context, endpoint: "http://me:#{secret}@#{host}", token: secret)
    refute inspect(report, limit: :infinity) <> to_string(report) =~ secret
    report = ask(context, endpoint: "https://hub.example", token: secret)
    assert find(report, :proxy).message =~ "http://****@127.0.0.1:1"
    assert failed(report) == [:tcp]
    assert find(report, :tcp).advice =~ "check HTTPS_PROXY"
    refute inspect(report, limit: :infinity) <> to_string(report) =~ secret
  end

  @tag :openssl
  test "looks through a proxy, and at NO_PROXY", context do
    %{port: port} = URI.parse(context.endpoint)
    files = TlsRelay.certificates(context.dir, ["DNS:hub.example"])
    System.put_env("HTTPS_PROXY", "http://127.0.0.1:#{TlsRelay.tunnel(TlsRelay.start(files, port))}")
    System.put_env("SSL_CERT_FILE", files.ca)
    report = ask(context, endpoint: "https://hub.example")
    assert find(report, :tls).message =~ ~s(issued by "Test CA")
    assert find(report, :endpoint).status == :ok
    System.put_env("NO_PROXY", ".example")
    assert find(ask(context, endpoint: "https://hub.example"), :proxy).message == "none"
  end

  test "shows whether a repository can be read, and why not", context do
    {gated, _commit} = repo(context, %{"a" => "a"}, gated: :manual)
    check = find(ask(context, repo_id: gated, token: false), :access)
    assert check.status == :error and check.advice =~ "accept its terms"
    check = find(ask(context, repo_id: "org/none", token: token()), :access)
    assert check.status == :error and check.advice =~ "check the id"
  end

  test "offline mode is shown, and nothing is requested", context do
    System.put_env("HF_HUB_OFFLINE", "1")
    report = ask(context, endpoint: "http://127.0.0.1:1")
    assert failed(report) == []
    assert find(report, :network).advice =~ "HF_HUB_OFFLINE"
  end

  test "a cache folder that cannot be created is an error", context do
    report = run(context, cache_dir: "/proc/none/hub")
    assert :cache in failed(report)
    assert find(report, :cache).advice =~ "HF_HUB_CACHE"
  end

  @tag :root
  test "a read-only cache is an error", context do
    File.mkdir_p!(context.cache)
    {"", 0} = System.cmd("mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", context.cache])
    on_exit(fn -> System.cmd("umount", [context.cache]) end)
    report = run(context, groups: [:cache])
    assert :cache in failed(report)
    assert find(report, :cache).message =~ "read-only file system"
  end

  @tag :root
  test "little free space is a warning, and none an error", context do
    File.mkdir_p!(context.cache)
    {"", 0} = System.cmd("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", context.cache])
    on_exit(fn -> System.cmd("umount", [context.cache]) end)
    assert %{status: :error, advice: advice} = find(run(context, groups: [:cache]), :space)
    assert advice =~ "prune"
  end

  test "locks that do not exclude another process are a warning", context do
    script =
      Vm.script(context, """
      report = HfHub.Doctor.run(groups: [:cache], cache_dir: #{inspect(context.cache)})
      IO.puts(Enum.find(report.checks, &(&1.name == :locks)).message)
      """)

    assert {output, 0} = Vm.run(script)
    assert output =~ "exclude another process\n" and not (output =~ "do not")
    assert {output, 0} = Vm.run(script, no_locks(context))
    assert output =~ "do not exclude another process"
  end

  test "the command prints the report, JSON, and exits with 1 if a check has failed", context do
    run = fn args ->
      me = self()
      more = ["--cache-dir", context.cache, "--timeout", "2000"]

      output =
        ExUnit.CaptureIO.capture_io(fn -> send(me, {:status, HfHub.CLI.run(["doctor" | args] ++ more)}) end)

      assert_received {:status, status}
      {status, output}
    end

    assert {0, output} = run.(["--endpoint", context.endpoint])
    assert output =~ ~r/^ok +tcp /m
    # In the words of the command.
    assert {1, output} = run.(["org/none", "--endpoint", context.endpoint, "--json"])
    assert output =~ ~s("name":"access","status":"error")
    assert output =~ "check the id and --repo-type" and output =~ "auth login"
    refute output =~ ":repo_type" or output =~ "HfHub.Auth"
  end

  test "a file in the place of the cache folder, or above it, is an error", context do
    file = Path.join(context.dir, "file")
    File.write!(file, "")

    for cache_dir <- [file, Path.join(file, "hub")] do
      report = run(context, cache_dir: cache_dir, groups: [:cache])
      assert %{status: :error, message: message, advice: "choose another folder" <> _} = find(report, :cache)
      assert message == "#{file} is not a folder"
    end
  end

  test "a variable that should be a number of seconds, and is not, is a warning", context do
    System.put_env("HF_HUB_ETAG_TIMEOUT", "ten")
    assert %{status: :warning, message: message} = find(ask(context, groups: []), :settings)
    assert message =~ "ignored, because they are not numbers: HF_HUB_ETAG_TIMEOUT"
    System.put_env("HF_HUB_ETAG_TIMEOUT", "10")
    assert %{status: :ok} = find(ask(context, groups: []), :settings)
  end

  test "a setting with a value of the wrong type is reported, instead of raised", context do
    before = Application.get_env(:hf_hub, :offline)

    on_exit(fn ->
      if before == nil,
        do: Application.delete_env(:hf_hub, :offline),
        else: Application.put_env(:hf_hub, :offline, before)
    end)

    Application.put_env(:hf_hub, :offline, "yes")
    report = run(context, [])
    assert %{status: :error, message: message, advice: "correct it" <> _} = find(report, :settings)
    assert message =~ ":offline"
    assert length(report.checks) == 2
  end

  defp no_locks(context), do: Vm.no_locks(context)
end
