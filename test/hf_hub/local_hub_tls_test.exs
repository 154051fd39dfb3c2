defmodule HfHub.LocalHubTlsTest do
  # Sets environment variables, so no other test runs at the same time.
  use HfHub.Case, async: false

  alias HfHub.{Api, Commit, Download, Error, LocalHub, TlsRelay}

  @token "hf_CANARYtls"

  setup do
    own_env(~w(SSL_CERT_FILE HF_ENDPOINT HF_HUB_ALLOW_HTTP_TOKEN))
  end

  test "clients accept a self-signed certificate that they trust", context do
    root = Path.join(context.dir, "it's a hub")
    hub = start_supervised!({LocalHub, root: root, tls_self_signed: true})
    environment = LocalHub.environment(hub)
    assert %{"HF_ENDPOINT" => "https://127.0.0.1:" <> _port} = environment
    refute environment["HF_HUB_DISABLE_XET"]
    assert environment["SSL_CERT_FILE"] == Path.join(root, "tls/certificate.pem")
    assert environment["REQUESTS_CA_BUNDLE"] == environment["SSL_CERT_FILE"]
    # Without trust the connection fails before anything is sent.
    assert {:error, %Error{kind: :transport, message: message}} = whoami(environment)
    assert message =~ "TLS"

    System.put_env("SSL_CERT_FILE", environment["SSL_CERT_FILE"])
    serves(hub, context)
    assert git_clone(environment, context) == "a"

    stop_supervised!(LocalHub)
    hub = start_supervised!({LocalHub, root: root, tls_self_signed: true})
    assert {:ok, _info} = whoami(LocalHub.environment(hub)), "the certificate outlives a restart"
  end

  test "Xet storage is used with the certificates and proxies of a setting", context do
    root = Path.join(context.dir, "hub")
    hub = start_supervised!({LocalHub, root: root, tls_self_signed: true, test_control: true})
    LocalHub.command!(hub, ["user", "add", "me", "--token", @token])
    Application.put_env(:hf_hub, :ca_file, Path.join(root, "tls/certificate.pem"))
    # Not used for this machine.
    Application.put_env(:hf_hub, :https_proxy, "http://127.0.0.1:9")
    endpoint = LocalHub.endpoint(hub)
    opts = [endpoint: endpoint, token: @token, retries: 0]
    content = large(300_000)

    attributes =
      Commit.Operation.add(".gitattributes", {:binary, "*.bin filter=lfs diff=lfs merge=lfs -text"})

    {:ok, _repo} = HfHub.Repo.create("me/far", opts)
    {:ok, _info} = Commit.create("me/far", [attributes], [commit_message: "Add"] ++ opts)
    assert {:ok, _info} = Commit.upload_file({:binary, content}, "a.bin", "me/far", [xet: :auto] ++ opts)
    more = [repo_id: "me/far", filename: "a.bin", cache_dir: context.cache, xet: true]
    assert File.read!(Download.hf_hub_download!(more ++ opts)) == content
    paths = for request <- control(:get, "requests", nil, endpoint), do: request["path"]

    for what <- ["/xet/grants/", "/v2/shards", "/v2/reconstructions/"],
        do: assert(Enum.any?(paths, &(&1 =~ what)))

    refute Enum.any?(paths, &(&1 =~ "/objects/batch"))
  end

  test "clients on other machines send the token over HTTPS", context do
    opts = [root: Path.join(context.dir, "hub"), host: "0.0.0.0", tls_self_signed: true]
    hub = start_supervised!({LocalHub, opts})
    System.put_env("SSL_CERT_FILE", LocalHub.environment(hub)["SSL_CERT_FILE"])
    {:ok, name} = :inet.gethostname()

    serves(
      hub,
      context,
      %{URI.parse(LocalHub.endpoint(hub)) | host: to_string(name), authority: nil} |> to_string()
    )
  end

  test "clients accept a given certificate if they trust its authority", context do
    files = TlsRelay.certificates(context.dir, ["DNS:localhost", "IP:127.0.0.1"])
    opts = [root: Path.join(context.dir, "hub"), tls_cert: files.certificate, tls_key: files.key]
    hub = start_supervised!({LocalHub, opts})
    refute LocalHub.environment(hub)["SSL_CERT_FILE"]
    System.put_env("SSL_CERT_FILE", files.ca)
    serves(hub, context)
  end

  test "a certificate without its key, or with tls_self_signed, is an error", context do
    files = TlsRelay.certificates(context.dir, ["DNS:localhost"])
    start = &LocalHub.start_link([root: Path.join(context.dir, "hub")] ++ &1)
    assert {:error, %Error{kind: :io, message: message}} = start.(tls_cert: files.certificate)
    assert message =~ "--tls-key"
    assert {:error, %Error{message: message}} = start.(tls_cert: files.ca, tls_key: files.key)
    assert message =~ "is not the private key of the certificate in"
    missing = Path.join(context.dir, "missing.pem")
    assert {:error, %Error{message: message}} = start.(tls_cert: missing, tls_key: files.key)
    assert message =~ "cannot read #{missing}"
    assert {:error, %Error{}} = start.(tls_cert: files.certificate, tls_key: files.key, tls_self_signed: true)
  end

  @tag :python
  test "the Python client uploads and downloads over HTTPS", context do
    hub = start_supervised!({LocalHub, root: Path.join(context.dir, "hub"), tls_self_signed: true})
    LocalHub.command!(hub, ["user", "add", "me", "--token", @token])

    trust = [{"SSL_CERT_FILE", LocalHub.environment(hub)["SSL_CERT_FILE"]}]

    script = """
    api = HfApi(token="#{@token}")
    api.create_repo("me/python", private=True)
    content = bytes(range(256)) * 50_000
    api.upload_file(path_or_fileobj=content, path_in_repo="m.bin", repo_id="me/python")
    path = hf_hub_download("me/python", "m.bin", token="#{@token}")
    with open(path, "rb") as file:
        assert file.read() == content
    print(api.whoami()["name"])
    """

    assert HfHub.Python.run!(script, LocalHub.endpoint(hub), context.cache, trust) == "me"
    untrusted = ~s[HfApi(token=False).model_info("me/python")]
    refused = fn -> HfHub.Python.run!(untrusted, LocalHub.endpoint(hub), context.cache) end
    assert_raise RuntimeError, ~r/CERTIFICATE_VERIFY_FAILED/, refused
  end

  # A private repository is created, written to, listed and read, the large file from the other origin.
  defp serves(hub, context), do: serves(hub, context, LocalHub.endpoint(hub))

  defp serves(hub, context, endpoint) do
    LocalHub.command!(hub, ["user", "add", "me", "--token", @token])
    folder = folder(context, %{"a.txt" => "a", "m.bin" => large(3_000_000)})
    opts = [endpoint: endpoint, token: @token, retry_delay: 10]
    assert {:ok, _repo} = HfHub.Repo.create("me/private", [private: true] ++ opts)
    assert {:ok, _info} = Commit.upload_folder(folder, "me/private", opts)
    assert {:ok, %{private: true}} = Api.model_info("me/private", opts)
    snapshot = Download.snapshot_download!([repo_id: "me/private", cache_dir: context.cache] ++ opts)
    assert File.read!(Path.join(snapshot, "m.bin")) == File.read!(Path.join(folder, "m.bin"))
  end

  defp whoami(environment) do
    HfHub.Api.list_models(endpoint: environment["HF_ENDPOINT"], token: false, retries: 0)
  end

  defp git_clone(environment, context) do
    "https://" <> host = environment["HF_ENDPOINT"]
    target = Path.join(context.dir, "clone")

    env = [
      {"GIT_SSL_CAINFO", environment["SSL_CERT_FILE"]},
      {"GIT_TERMINAL_PROMPT", "0"},
      {"GIT_LFS_SKIP_SMUDGE", "1"}
    ]

    arguments = ["clone", "-q", "https://me:#{@token}@#{host}/me/private", target]
    assert {_output, 0} = System.cmd("git", arguments, env: env, stderr_to_stdout: true)
    # The configuration of the clone contains the token.
    File.rm_rf!(Path.join(target, ".git"))
    File.read!(Path.join(target, "a.txt"))
  end
end
