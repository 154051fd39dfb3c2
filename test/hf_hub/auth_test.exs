defmodule HfHub.AuthTest do
  # Sets environment variables, which are shared by the whole VM.
  use HfHub.Case, async: false

  import ExUnit.{CaptureIO, CaptureLog}

  alias HfHub.{Auth, Error, LocalHub, Memory}
  alias HfHub.Auth.{DeviceCode, Organization, StoredToken, TokenInfo, Whoami}

  doctest HfHub.Auth.Ini

  doctest HfHub.Auth

  @names ~w(HF_ENDPOINT HF_HOME HF_TOKEN HUGGING_FACE_HUB_TOKEN LB_HF_TOKEN HF_TOKEN_PATH HF_HUB_DISABLE_IMPLICIT_TOKEN)

  setup context do
    own_env(@names)
    home = Path.join(context.dir, "home")
    System.put_env(%{"HF_HOME" => home, "HF_ENDPOINT" => context.endpoint})
    Memory.clear()
    {:ok, home: home}
  end

  # Creates a user of the Hub with a token of that name.
  defp user(name, args \\ []) do
    id = "#{name}#{System.unique_integer([:positive])}"
    token = LocalHub.command!(hub(), ["user", "add", id, "--token-name", name] ++ args)
    {id, token}
  end

  defp home_files(home), do: home |> File.ls!() |> Enum.sort()
  defp mode(path), do: Bitwise.band(File.stat!(path).mode, 0o777)
  defp asked(path), do: length(requests(path))

  describe "whoami" do
    test "returns the account, its organizations and the token" do
      {name, token} = user("laptop", ["--org", "acme:admin", "--org", "lab:read"])

      assert {:ok, %Whoami{type: :user, name: ^name, pro: false, email: email} = me} =
               Auth.whoami(token: token)

      assert email =~ name and me.raw["name"] == name
      assert [%Organization{name: "acme", role: :admin}, %Organization{name: "lab", role: :read}] = me.orgs
      assert %{username: ^name, organizations: ["acme", "lab"]} = me
      assert %TokenInfo{name: "laptop", role: :write, created_at: %DateTime{}} = me.auth
      assert inspect(me) == ~s(#HfHub.Auth.Whoami<#{name}, in acme, lab, write token "laptop">)
    end

    test "returns the permissions of a fine-grained token" do
      scope = ["--role", "fine-grained", "--scope", "acme=repo.content.read,repo.write", "--gated-repos"]
      {_name, token} = user("fine", scope)
      info = Auth.whoami!(token: token).auth
      assert %TokenInfo{role: :fine_grained, read_gated_repos: true, global: []} = info
      assert info.scoped == [{"acme", ["repo.content.read", "repo.write"]}]
    end

    test "caches the result per token and endpoint with cache: true" do
      {name, token} = user("cached")
      before = asked("/api/whoami-v2")
      assert {:ok, %Whoami{name: ^name}} = Auth.whoami(token: token, cache: true)
      assert {:ok, %Whoami{name: ^name}} = Auth.whoami(token: token, cache: true)
      assert asked("/api/whoami-v2") == before + 1
      Auth.whoami!(token: token)
      assert asked("/api/whoami-v2") == before + 2
      assert {:error, %Error{kind: :unauthorized}} = Auth.whoami(token: "hf_bad", cache: true)
      assert {:error, %Error{}} = Auth.whoami(token: "hf_bad", cache: true)
      assert asked("/api/whoami-v2") == before + 4
      refute inspect(:persistent_term.get(Memory), limit: :infinity) =~ token
    end

    test "requires a token, and names the source of a bad one" do
      assert {:error, %Error{kind: :no_token, message: "no token found" <> more}} = Auth.whoami()
      assert more =~ "HfHub.Auth.login()" and more =~ "/settings/tokens"
      assert {:error, %Error{kind: :no_token}} = Auth.whoami(token: false)
      System.put_env("HF_TOKEN", "hf_mistyped")
      assert {:error, %Error{kind: :unauthorized, status: 401} = error} = Auth.whoami()
      assert error.message =~ "rejected the token from HF_TOKEN" and error.message =~ "/settings/tokens"
      refute inspect(error) =~ "hf_mistyped"
      assert_raise Error, ~r/rejected the token from the option :token/, fn -> Auth.whoami!(token: "hf_x") end
    end

    test "suggests cache: true when rate limited" do
      fault("whoami-v2", %{kind: "status", code: 429}, %{times: 1})
      assert {:error, %Error{kind: :rate_limited} = error} = Auth.whoami(token: token(), retries: 0)
      assert error.message =~ "cache: true"
    end
  end

  describe "login" do
    test "validates the token, stores it by its name and makes it active", %{home: home} do
      {name, token} = user("laptop")
      assert {:error, %Error{kind: :unauthorized}} = Auth.login(token: "hf_wrong")
      refute File.exists?(home)
      assert Auth.login(token: " #{token}\n") == :ok
      assert File.read!(Path.join(home, "token")) == token
      assert File.read!(Path.join(home, "stored_tokens")) == "[laptop]\nhf_token = #{token}\n\n"
      assert {:ok, ^token} = Auth.get_token()
      assert Auth.whoami!().name == name
      assert [%StoredToken{name: "laptop", in_use: true, token: ^token} = stored] = Auth.list_tokens!()
      refute inspect(stored) =~ token
    end

    test "makes the files readable by their owner only, and leaves no temporary files", %{home: home} do
      File.mkdir_p!(Path.dirname(home))
      {_name, token} = user("private")
      Auth.login!(token: token)
      assert mode(home) == 0o700
      for file <- ["token", "stored_tokens"], do: assert(mode(Path.join(home, file)) == 0o600)
      assert home_files(home) == ["stored_tokens", "stored_tokens.lock", "token"]
    end

    test "keeps tokens that other clients have stored", %{home: home} do
      File.mkdir_p!(home)
      path = Path.join(home, "stored_tokens")

      File.write!(
        path,
        "# mine\n[zoo]\nHF_TOKEN: hf_zoo\nfuture_field = 1\n  2\n\n[laptop]\nhf_token = hf_old\nexpires_at = 5\n"
      )

      {_name, token} = user("laptop")
      Auth.login!(token: token)

      assert File.read!(path) ==
               "[laptop]\nhf_token = #{token}\n\n[zoo]\nhf_token = hf_zoo\nfuture_field = 1\n\t2\n\n"
    end

    test "rejects invalid tokens and options" do
      assert {:error, %Error{kind: :no_token}} = Auth.login(token: " ")
      assert {:error, %Error{kind: :unauthorized, message: message}} = Auth.login(token: "api_org_x")
      assert message =~ "organization"
      assert_raise ArgumentError, fn -> Auth.login(token: true) end
    end

    test "does nothing and prints so if a token is already stored" do
      System.put_env("HF_TOKEN", token())

      assert capture_io(fn -> assert Auth.login() == :ok end) =~
               "Already logged in with the token of HF_TOKEN"
    end

    test "warns if another token takes precedence" do
      {_name, token} = user("second")
      System.put_env("HF_TOKEN", token())
      assert capture_log(fn -> Auth.login!(token: token) end) =~ "calls send the token of HF_TOKEN"
    end

    test "names the folder that cannot be written", context do
      File.write!(Path.join(context.dir, "file"), "")
      System.put_env("HF_TOKEN_PATH", Path.join(context.dir, "file/token"))
      {_name, token} = user("nowhere")
      assert {:error, %Error{kind: :io, message: message}} = Auth.login(token: token)
      assert message =~ "HF_TOKEN_PATH"
    end

    test "of several processes at once loses no token" do
      tokens = for n <- 1..8, do: elem(user("many#{n}"), 1)
      tokens |> Enum.map(&Task.async(fn -> Auth.login(token: &1) end)) |> Task.await_many(60_000)
      assert Enum.sort(for stored <- Auth.list_tokens!(), do: stored.token) == Enum.sort(tokens)
    end
  end

  describe "a browser login" do
    test "shows a code and waits until it is confirmed", %{home: home} do
      {name, _token} = user("owner")
      test = self()

      show = fn %DeviceCode{} = code ->
        send(test, {:code, code})
        # Delayed, so that the login has to poll.
        spawn(fn ->
          Process.sleep(300)
          LocalHub.command!(hub(), ["user", "approve", code.user_code, name])
        end)
      end

      assert Auth.login(method: :browser, show: show) == :ok
      assert_received {:code, %DeviceCode{url: url, user_code: user_code} = code}
      assert url =~ user_code and url =~ "/oauth/device" and code.expires_in == 900
      refute inspect(code) =~ code.device_code

      assert %Whoami{name: ^name, auth: %TokenInfo{type: "oauth", expires_at: %DateTime{}}} = Auth.whoami!()
      assert [%StoredToken{refreshable: true, expires_at: %DateTime{}} = stored] = Auth.list_tokens!()
      assert stored.name == "oauth-#{name}"
      assert File.read!(Path.join(home, "token")) == stored.token
      refute inspect(stored) =~ stored.refresh_token
    end

    test "prints the code without :show" do
      {name, _token} = user("owner")
      {:ok, screen} = StringIO.open("")

      task =
        Task.async(fn ->
          Process.group_leader(self(), screen)
          Auth.login(method: :browser)
        end)

      printed = fn -> screen |> StringIO.contents() |> elem(1) end
      eventually(fn -> printed.() =~ "Waiting" end)
      assert [_all, url, code] = Regex.run(~r/(http\S+)\s+and enter the code: (\S+)/, printed.())
      assert url =~ "/oauth/device?user_code=" <> code
      LocalHub.command!(hub(), ["user", "approve", code, name])
      assert Task.await(task, 20_000) == :ok
      assert printed.() =~ "Logged in."
      refute printed.() =~ Auth.get_token!()
    end

    test "returns an error if it is denied or expires" do
      deny = fn code -> LocalHub.command!(hub(), ["user", "deny", code.user_code]) end

      assert {:error, %Error{kind: :unauthorized, message: message}} =
               Auth.login(method: :browser, show: deny)

      assert message =~ "denied"
      # A temporary failure of the Hub is retried.
      fault("/oauth/token", %{kind: "status", code: 503}, %{times: 1})
      assert {:error, %Error{kind: :unauthorized}} = Auth.login(method: :browser, show: deny)
      assert {:error, %Error{kind: :no_token}} = Auth.get_token()
    end

    test "stops when the calling process exits" do
      task = Task.async(fn -> Auth.login(method: :browser, show: fn _code -> :nothing end) end)
      assert Task.shutdown(task, 500) == nil
    end
  end

  describe "stored tokens" do
    setup do
      [first, second] = for name <- ["first", "second"], do: elem(user(name), 1)
      Auth.login!(token: first)
      Auth.login!(token: second)
      {:ok, first: first, second: second}
    end

    test "can be switched", %{first: first, second: second} do
      assert Auth.get_token!() == second
      assert Auth.switch("first") == :ok
      assert Auth.get_token!() == first
      assert [true, false] = for(stored <- Auth.list_tokens!(), do: stored.in_use)
      assert {:error, %Error{kind: :not_found, message: message}} = Auth.switch("third")
      assert message =~ ~s("first", "second")
      System.put_env("HF_TOKEN", token())
      assert capture_log(fn -> Auth.switch!("second") end) =~ "calls send the token of HF_TOKEN"
    end

    test "are removed one by one, or all together", %{first: first, home: home} do
      assert Auth.logout(name: "second") == :ok
      assert {:error, %Error{kind: :no_token}} = Auth.get_token()
      Auth.switch!("first")
      assert {:error, %Error{kind: :not_found}} = Auth.logout(name: "second")
      assert Auth.get_token!() == first
      assert Auth.logout() == :ok
      assert home_files(home) == ["stored_tokens.lock"]
      assert Auth.logout() == :ok
    end

    test "are removed by a logout, which names a token that remains" do
      System.put_env("HUGGING_FACE_HUB_TOKEN", "hf_left")
      assert {:error, %Error{kind: :conflict, message: message}} = Auth.logout()
      assert message =~ "HUGGING_FACE_HUB_TOKEN" and not (message =~ "hf_left")
      assert Auth.list_tokens!() == []
    end

    test "return an error if they cannot be read", %{home: home} do
      File.write!(Path.join(home, "stored_tokens"), <<255, 0>>)
      assert {:error, %Error{kind: :io, message: message}} = Auth.list_tokens()
      assert message =~ "remove it and log in again"
      assert Auth.logout() == :ok
    end
  end

  test "set_token sets the VM's token until a logout", %{home: home} do
    assert Auth.set_token("hf_vm") == :ok
    assert Auth.get_token!() == "hf_vm"
    assert Auth.auth_headers!() == [{"authorization", "Bearer hf_vm"}]
    assert Auth.logout() == :ok
    assert {:ok, []} = Auth.auth_headers()
    assert {:error, %Error{kind: :no_token}} = Auth.auth_headers(token: true)
    refute File.exists?(Path.join(home, "token"))
  end

  test "validate_token returns whether the Hub accepts a token" do
    assert Auth.validate_token(token()) == :ok
    assert {:error, %Error{kind: :unauthorized}} = Auth.validate_token("hf_wrong")
    assert {:error, %Error{kind: :unauthorized}} = Auth.validate_token("two\nlines\u0001")
    assert_raise Error, fn -> Auth.validate_token!("hf_wrong") end
  end

  describe "a token of a browser login" do
    setup %{home: home} do
      {name, _token} = user("owner")
      Auth.login!(method: :browser, show: &LocalHub.command!(hub(), ["user", "approve", &1.user_code, name]))
      [stored] = Auth.list_tokens!()
      path = Path.join(home, "stored_tokens")
      due = to_string(DateTime.to_unix(stored.expires_at))
      soon = to_string(System.os_time(:second) + 3600)

      age = fn change ->
        File.write!(path, path |> File.read!() |> String.replace(due, soon) |> change.())
        Memory.clear()
      end

      {:ok, old: stored.token, age: age}
    end

    test "is renewed once by concurrent calls", %{old: old, age: age} do
      before = asked("/oauth/token")
      age.(& &1)
      tokens = 1..10 |> Enum.map(fn _ -> Task.async(&Auth.get_token!/0) end) |> Task.await_many(30_000)
      assert [fresh] = Enum.uniq(tokens)
      assert fresh != old
      assert Auth.get_token!() == fresh and Auth.whoami!().auth.type == "oauth"
      assert asked("/oauth/token") == before + 1
    end

    test "is kept if it cannot be renewed, with one warning", %{old: old, age: age} do
      age.(&String.replace(&1, ~r/refresh_token = .*/, "refresh_token = gone"))
      log = capture_log(fn -> assert Auth.get_token!() == old and Auth.get_token!() == old end)
      assert log =~ "log in again with HfHub.Auth.login(force: true)"
      assert length(String.split(log, "log in again")) == 2
    end

    test "is not renewed in offline mode", %{old: old, age: age} do
      age.(& &1)
      before = asked("/oauth/token")
      Application.put_env(:hf_hub, :offline, true)
      assert Auth.get_token!() == old
      Application.delete_env(:hf_hub, :offline)
      assert asked("/oauth/token") == before
    end
  end

  describe "a CI job" do
    @job ~w(HF_OIDC_RESOURCE HF_OIDC_ID_TOKEN GITHUB_ACTIONS ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN)

    setup do
      own_env(@job)
      {name, identity} = user("ci")
      System.put_env(%{"HF_OIDC_RESOURCE" => "acme/r", "HF_TOKEN" => "hf_not_this"})
      {:ok, name: name, identity: identity}
    end

    test "exchanges HF_OIDC_ID_TOKEN for a token, once", %{name: name, identity: identity} do
      System.put_env("HF_OIDC_ID_TOKEN", identity)
      before = asked("/oauth/token")
      assert "hf_jwt_" <> _rest = token = Auth.get_token!()
      assert Auth.get_token!() == token and Auth.whoami!().name == name
      assert asked("/oauth/token") == before + 1
      refute inspect(:persistent_term.get(Memory), limit: :infinity) =~ token

      assert %{value: "issued to the CI job"} =
               Enum.find(HfHub.Config.explain().settings, &(&1.name == :token))
    end

    test "requests the id token of a GitHub Actions job", %{
      name: name,
      identity: identity,
      endpoint: endpoint
    } do
      answer = %{"content-type" => "application/json"}
      fault("/idtoken", %{kind: "status", code: 200, headers: answer, body: ~s({"value": "#{identity}"})})

      System.put_env(%{
        "GITHUB_ACTIONS" => "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL" => endpoint <> "/some/idtoken/1?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN" => "hf_github"
      })

      assert Auth.whoami!().name == name
      assert [request | _] = requests("/some/idtoken/1")
      assert request["query"] =~ "api-version=2.0" and request["query"] =~ "audience=http"
    end

    test "returns an error without an id token, and uses no other token" do
      assert {:error, %Error{kind: :no_token, message: message}} = Auth.get_token()
      assert message =~ "set HF_OIDC_ID_TOKEN, or unset HF_OIDC_RESOURCE"
      System.put_env("GITHUB_ACTIONS", "true")
      assert {:error, %Error{kind: :no_token, message: message}} = Auth.whoami()
      assert message =~ "id-token: write"
      System.put_env("HF_OIDC_ID_TOKEN", "hf_stranger")
      assert {:error, %Error{kind: :bad_request} = error} = Auth.whoami()
      refute inspect(error) =~ "hf_stranger"
    end
  end

  describe "git" do
    setup %{dir: dir} do
      own_env(["GIT_CONFIG_GLOBAL"])
      config = Path.join(dir, "gitconfig")
      System.put_env("GIT_CONFIG_GLOBAL", config)
      {:ok, config: config, kept: Path.join(dir, "passwords")}
    end

    test "stores the token in a credential helper, and erases it at a logout", context do
      File.write!(context.config, "[credential]\n\thelper = store --file=#{context.kept}\n")
      {_name, token} = user("pusher")
      Auth.login!(token: token, add_to_git_credential: true)
      assert File.read!(context.kept) =~ "hf_user:#{token}@"
      {_name, other} = user("other")
      Auth.login!(token: other)
      refute File.read!(context.kept) =~ other
      Auth.switch!("other", add_to_git_credential: true)
      assert File.read!(context.kept) =~ "hf_user:#{other}@"
      Auth.logout!()
      refute File.read!(context.kept) =~ other
    end

    test "stores nothing without a credential helper, and warns", context do
      File.write!(context.config, "")
      {_name, token} = user("pusher")
      log = capture_log(fn -> Auth.login!(token: token, add_to_git_credential: true) end)
      assert log =~ "git config --global credential.helper store"
      refute log =~ token
    end
  end
end
