defmodule HfHub.ConfigTest do
  # Sets environment variables, which are shared by the whole VM.
  use HfHub.Case, async: false

  import ExUnit.CaptureLog

  alias HfHub.{Auth, Config, Download}
  alias HfHub.Native.Hub

  doctest HfHub.Config
  doctest HfHub.FS
  doctest HfHub, except: [:moduledoc]

  @names ~w(HF_ENDPOINT HF_HOME HF_HUB_CACHE HUGGINGFACE_HUB_CACHE XDG_CACHE_HOME HF_TOKEN HUGGING_FACE_HUB_TOKEN
    LB_HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE TRANSFORMERS_OFFLINE HF_HUB_ETAG_TIMEOUT HF_HUB_DOWNLOAD_TIMEOUT
    HF_HUB_DISABLE_IMPLICIT_TOKEN HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy no_proxy all_proxy
    HUGGINGFACE_CO_STAGING
    SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE HEX_CACERTS_PATH HF_HUB_DISABLE_SYMLINKS
    HF_HUB_USER_AGENT_ORIGIN)

  setup do: own_env(@names)

  defp env(values), do: System.put_env(values)
  defp app(key, value), do: Application.put_env(:hf_hub, key, value)
  defp config(opts \\ []), do: Hub.config(opts) |> elem(1)

  # The sent token cannot be read back, so this checks the input of the engine.
  defp sent_token(given \\ nil) do
    {:ok, found} = Auth.Credentials.find(given)
    found && elem(found, 0)
  end

  test "the endpoint is looked up in option, config, environment, default" do
    assert config().endpoint == "https://huggingface.co"
    env(%{"HF_ENDPOINT" => "https://mirror.example/hf/"})
    assert config().endpoint == "https://mirror.example/hf"
    app(:endpoint, "https://app.example")
    assert config().endpoint == "https://app.example"
    assert config(endpoint: "https://call.example").endpoint == "https://call.example"
  end

  test "the cache folder is that of the Python client", context do
    home = Path.expand("~/.cache/huggingface/hub")
    assert Config.cache_dir() == home
    env(%{"XDG_CACHE_HOME" => context.dir})
    assert Config.cache_dir() == Path.join(context.dir, "huggingface/hub")
    env(%{"HF_HOME" => context.dir})
    assert Config.cache_dir() == Path.join(context.dir, "hub")
    env(%{"HUGGINGFACE_HUB_CACHE" => "/legacy"})
    assert Config.cache_dir() == "/legacy"
    env(%{"HF_HUB_CACHE" => "~/here"})
    assert Config.cache_dir() == Path.expand("~/here")
    app(:cache_dir, "/app")
    assert Config.cache_dir() == "/app"
  end

  test "a download logs once that a cache below the configured folder is not used", context do
    below = Path.join(context.dir, "hub")
    File.mkdir_p!(Path.join(below, "models--org--name/snapshots/main"))
    download = fn opts -> Download.hf_hub_download([repo_id: "org/name", filename: "f"] ++ opts) end

    local = fn opts ->
      capture_log(fn -> assert {:error, _} = download.([local_files_only: true] ++ opts) end)
    end

    app(:cache_dir, context.dir)
    assert local.(cache_dir: context.dir) == ""
    assert local.([]) =~ "set config :hf_hub, cache_dir: #{inspect(below)}"
    assert local.([]) == ""
    app(:cache_dir, below)
    assert local.([]) == ""
  end

  test "an invalid value is an error that names the setting" do
    app(:cache_dir, :bogus)

    assert_raise ArgumentError,
                 ~r/invalid value of config :hf_hub, :cache_dir: expected a path/,
                 &Config.cache_dir/0
  end

  test "an invalid value is an error that names the type, without the value" do
    for {key, value, expected} <- [
          {:offline, "hf_CANARY", ":offline: expected a boolean;"},
          {:http_opts, %{receive_timeout: 1}, ":http_opts: expected a keyword list;"},
          {:http_opts, [receive_timeout: "1"],
           "http_opts: [receive_timeout: …]: expected a positive integer;"}
        ] do
      app(key, value)
      error = assert_raise ArgumentError, fn -> Config.explain() end
      assert error.message =~ expected and not (error.message =~ "CANARY")
      Application.delete_env(:hf_hub, key)
    end
  end

  test "the token is the first that is set, without whitespace", context do
    env(%{"HF_HOME" => context.dir})
    assert sent_token() == nil
    File.write!(Path.join(context.dir, "token"), "hf_file\n")
    assert sent_token() == "hf_file"
    env(%{"LB_HF_TOKEN" => "hf_livebook"})
    assert sent_token() == "hf_livebook"
    env(%{"HUGGING_FACE_HUB_TOKEN" => "hf_old"})
    assert sent_token() == "hf_old"
    env(%{"HF_TOKEN" => " hf_env\r\n"})
    assert sent_token() == "hf_env"
    app(:token, "hf_app")
    assert sent_token() == "hf_app"
    assert sent_token("hf_call") == "hf_call"
    assert sent_token(false) == nil
    env(%{"HF_HUB_DISABLE_IMPLICIT_TOKEN" => "1"})
    assert sent_token() == nil
    assert sent_token(true) == "hf_app"
  end

  test "invisible characters are removed from a token", context do
    env(%{"HF_HOME" => context.dir})
    file = Path.join(context.dir, "token")
    app(:token_path, file)

    for text <- [
          "\uFEFFhf_pasted",
          "\u200Bhf_pas\u200Bted\u2060 \n",
          "\u00A0hf_pasted\u00AD",
          :unicode.encoding_to_bom({:utf16, :little}) <>
            :unicode.characters_to_binary("hf_pasted\r\n", :utf8, {:utf16, :little}),
          :unicode.encoding_to_bom({:utf16, :big}) <>
            :unicode.characters_to_binary("hf_pasted", :utf8, {:utf16, :big})
        ] do
      File.write!(file, text)
      assert sent_token() == "hf_pasted"
      assert sent_token(text) == "hf_pasted"
    end

    File.write!(file, <<0xFF, 0xFE, 0xD8>>)
    assert sent_token() == nil
  end

  test "a token file that is a pipe is ignored without blocking", context do
    env(%{"HF_HOME" => context.dir})

    for name <- ["token", "stored_tokens"] do
      {_output, 0} = System.cmd("mkfifo", [Path.join(context.dir, name)])
    end

    assert sent_token() == nil
    assert {:error, %{kind: :io}} = HfHub.Auth.list_tokens()
    refs = Path.join(context.dir, "hub/models--gpt2/refs")
    File.mkdir_p!(refs)
    {_output, 0} = System.cmd("mkfifo", [Path.join(refs, "main")])
    assert HfHub.FS.file_path("gpt2", :model, "a") =~ "snapshots/main/a"
  end

  test "token: true without a token is an error", context do
    env(%{"HF_HOME" => context.dir})
    assert {:error, %{kind: :no_token, message: "no token found" <> _}} = Hub.config(token: true)
  end

  test "truth values are those of the Python client" do
    for {value, expected} <- [
          {"1", true},
          {"on", true},
          {"Yes", true},
          {"TRUE", true},
          {"0", false},
          {"no", false},
          {"", false}
        ] do
      env(%{"HF_HUB_OFFLINE" => value})
      assert Config.offline?() == expected, value
    end

    env(%{"TRANSFORMERS_OFFLINE" => "1"})
    assert Config.offline?()
    app(:offline, false)
    refute Config.offline?()
  end

  test "timeouts are seconds in the environment and milliseconds elsewhere" do
    env(%{"HF_HUB_ETAG_TIMEOUT" => "2.5", "HF_HUB_DOWNLOAD_TIMEOUT" => "60"})
    assert %{header_timeout: 2500, idle_timeout: 60_000} = config()
    assert %{header_timeout: 100, idle_timeout: 200} = config(etag_timeout: 100, download_timeout: 200)
    env(%{"HF_HUB_ETAG_TIMEOUT" => "soon"})
    assert config().header_timeout == 10_000
  end

  test "the options of 0.3 for HTTP clients set the timeouts that are not set otherwise" do
    app(:http_opts, receive_timeout: 60_000, pool_timeout: 1)
    assert capture_log(&config/0) =~ "config :hf_hub, http_opts: [pool_timeout: …] has no effect"
    assert %{header_timeout: 60_000, idle_timeout: 60_000} = config()
    assert Config.http_opts() == [receive_timeout: 60_000, pool_timeout: 1]
    app(:download_timeout, 200)
    assert %{header_timeout: 60_000, idle_timeout: 200} = config()
    assert to_string(Config.explain()) =~ ~r/^etag_timeout +60000 +config :hf_hub, :http_opts$/m
    app(:http_opts, receive_timeout: :infinity)
    assert %{header_timeout: 86_400_000} = config()
    app(:http_opts, receive_timeout: -1)
    assert_raise ArgumentError, ~r/config :hf_hub, http_opts: \[receive_timeout: …\]/, &config/0
    app(:http_opts, %{})
    assert_raise ArgumentError, ~r/config :hf_hub, :http_opts/, &Config.http_opts/0
  end

  test "the cache options of 0.3 limit the size of an eviction without a limit", context do
    {id, _commit} = repo(context, %{"a.bin" => String.duplicate("a", 50_000)})
    app(:cache_opts, max_size: 60_000, eviction_policy: :lru)
    where = [cache_dir: context.cache]
    assert {:ok, path} = Download.hf_hub_download([repo_id: id, filename: "a.bin"] ++ opts(context))
    assert capture_log(fn -> assert :ok = HfHub.Cache.evict_lru(where) end) == ""
    assert File.exists?(path)
    app(:cache_opts, max_size: 40_000)
    assert Config.cache_opts() == [max_size: 40_000]
    assert :ok = HfHub.Cache.evict_lru([max_age: 10_000] ++ where)
    assert File.exists?(path)
    assert :ok = HfHub.Cache.evict_lru(where)
    refute File.exists?(path)
  end

  test "a variable set in the running VM reaches native code", context do
    {id, _commit} = repo(context, %{"config.json" => "{}"})
    env(%{"HF_ENDPOINT" => context.endpoint, "HF_HUB_CACHE" => context.cache})
    assert {:ok, path} = Download.hf_hub_download(repo_id: id, filename: "config.json")
    assert path =~ context.cache
    env(%{"HF_HUB_OFFLINE" => "1"})
    assert {:ok, ^path} = Download.hf_hub_download(repo_id: id, filename: "config.json")
    assert {:error, %{kind: :not_cached}} = Download.hf_hub_download(repo_id: id, filename: "other")
    System.delete_env("HF_HUB_OFFLINE")
    assert length(requests(id)) == 2
  end

  test "the user agent names the application and the origin that are configured" do
    assert config().user_agent =~ ~r"^hf_hub_elixir/[\w.-]+; elixir/[\w.-]+; otp/\d+$"
    app(:user_agent, "my_app/1.0")
    env(%{"HF_HUB_USER_AGENT_ORIGIN" => "ci"})
    assert config().user_agent =~ ~r"; my_app/1\.0; origin/ci$"

    server = HfHub.Receiver.start()
    HfHub.Api.model_info("me/m", endpoint: String.trim_trailing(server.url, "/hook"), token: false)
    assert_receive {:received, %{headers: %{"user-agent" => sent}}}
    assert sent =~ "; my_app/1.0; origin/ci"
  end

  test "offline mode opens no socket", context do
    {:ok, listener} = :gen_tcp.listen(0, [:binary, active: false, ip: {127, 0, 0, 1}])
    {:ok, port} = :inet.port(listener)
    env(%{"HF_HUB_OFFLINE" => "1", "HF_ENDPOINT" => "http://127.0.0.1:#{port}"})
    opts = [repo_id: "org/name", cache_dir: context.cache]
    assert {:error, %{kind: :not_cached}} = Download.hf_hub_download([filename: "x"] ++ opts)
    assert {:error, %{kind: :not_cached}} = Download.snapshot_download(opts)
    stream = Download.download_stream!(repo_id: "org/name", filename: "x")
    assert_raise HfHub.Error, ~r/offline mode is on/, fn -> Stream.run(stream) end
    assert {:error, :timeout} = :gen_tcp.accept(listener, 100)
    refute File.exists?(context.cache)
  end

  test "a proxy set in the running VM is used, except for NO_PROXY", context do
    {:ok, listener} = :gen_tcp.listen(0, [:binary, active: false, ip: {127, 0, 0, 1}])
    {:ok, port} = :inet.port(listener)

    proxy =
      Task.async(fn ->
        {:ok, socket} = :gen_tcp.accept(listener)
        {:ok, request} = :gen_tcp.recv(socket, 0)
        :gen_tcp.send(socket, "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
        request
      end)

    env(%{"HTTP_PROXY" => "http://user:pass@127.0.0.1:#{port}"})
    opts = [repo_id: "org/name", filename: "x", cache_dir: context.cache, retries: 0]

    assert {:error, %{kind: :server, status: 502}} =
             Download.hf_hub_download([endpoint: "http://hub.invalid"] ++ opts)

    request = Task.await(proxy)
    assert request =~ "GET http://hub.invalid/org/name/resolve/main/x HTTP/1.1"
    assert request =~ "proxy-authorization: Basic " <> Base.encode64("user:pass")

    env(%{"NO_PROXY" => "127.0.0.1,localhost"})
    assert {:error, %{kind: :repo_not_found}} = Download.hf_hub_download([endpoint: context.endpoint] ++ opts)
  end

  test "certificates are read from a file or folder, or the error names it", context do
    assert config().ca_files == []
    env(%{"REQUESTS_CA_BUNDLE" => "/bundle.pem"})
    assert config().ca_files == ["/bundle.pem"]
    env(%{"SSL_CERT_FILE" => "/ca.pem"})
    assert config().ca_files == ["/ca.pem"]

    opts = [repo_id: "org/name", filename: "x", cache_dir: context.cache, endpoint: context.endpoint]
    assert {:error, %{kind: :io, message: message}} = Download.hf_hub_download(opts)
    assert message =~ "cannot read the certificates in `/ca.pem`"
  end

  describe "explain" do
    defp explained(opts \\ []) do
      for setting <- Config.explain(opts).settings,
          into: %{},
          do: {setting.name, {setting.value, setting.origin}}
    end

    test "returns every setting with its source", context do
      env(%{"HF_HOME" => context.dir})
      assert %{endpoint: {"https://huggingface.co", :default}, token: {nil, :default}} = explained()
      assert explained().cache_dir == {Path.join(context.dir, "hub"), {:env, "HF_HOME"}}
      env(%{"HF_ENDPOINT" => "https://mirror.example", "HF_HUB_ETAG_TIMEOUT" => "2"})
      app(:offline, true)
      app(:endpoint, "https://app.example")

      assert %{
               endpoint: {"https://app.example", {:config, :endpoint}},
               etag_timeout: {2000, {:env, "HF_HUB_ETAG_TIMEOUT"}},
               offline: {true, {:config, :offline}}
             } = explained()

      assert explained(endpoint: "https://call.example").endpoint == {"https://call.example", :option}
      assert_raise ArgumentError, ~r/Did you mean :endpoint/, fn -> Config.explain(endpiont: "x") end
    end

    test "masks secrets", context do
      path = Path.join(context.dir, "token")
      File.write!(path, "hf_CANARYcanaryCANARYcanary")

      env(%{
        "HF_TOKEN_PATH" => path,
        "HTTPS_PROXY" => "http://me:hf_CANARY@proxy:3128",
        "ALL_PROXY" => "me:hf_CANARY@p"
      })

      assert %{token: {"hf_****nary", {:file, ^path}}, http_proxy: {"****@p", {:env, "ALL_PROXY"}}} =
               explained()

      assert {"http://****@proxy:3128", {:env, "HTTPS_PROXY"}} = explained().https_proxy
      assert {"****", :option} = explained(token: "hf_short").token
      for text <- [inspect(Config.explain()), to_string(Config.explain())], do: refute(text =~ "CANARY")
    end

    test "prints a table" do
      env(%{"HF_TOKEN" => "hf_0123456789abcdefghij"})
      table = inspect(Config.explain())
      assert table =~ ~r/^endpoint +https:\S+ +default$/m
      assert table =~ ~r/^token +hf_\*{4}ghij +HF_TOKEN$/m

      columns =
        for line <- String.split(table, "\n"),
            line =~ "default",
            do: line |> String.split("default") |> hd() |> String.length()

      assert columns |> Enum.uniq() |> length() == 1
    end
  end

  test "the token passed to the engine cannot be read", context do
    env(%{"HF_HOME" => context.dir, "HF_TOKEN" => "hf_CANARY"})
    hub = config()
    assert is_reference(hub.token) and hub.token_source == "HF_TOKEN"
    refute inspect(hub, limit: :infinity) =~ "CANARY"
  end

  test "staging has a separate endpoint and token file", context do
    env(%{"HUGGINGFACE_CO_STAGING" => "1", "HF_ENDPOINT" => "https://x.example", "HF_HOME" => context.dir})
    assert Config.endpoint() == "https://hub-ci.huggingface.co"
    assert {path, {:env, "HUGGINGFACE_CO_STAGING"}} = Config.Setting.find(:token_path)
    assert path == Path.expand("~/.cache/huggingface_staging/token")
    assert Config.cache_dir() == Path.join(context.dir, "hub")
  end

  test "variables in paths are expanded as in the Python client", context do
    env(%{"HF_HOME" => "$HF_TEST_HOME/${HF_TEST_NONE}x", "HF_TEST_HOME" => context.dir})
    assert Config.cache_dir() == Path.join(context.dir, "${HF_TEST_NONE}x/hub")
  after
    System.delete_env("HF_TEST_HOME")
  end
end
