defmodule HfHub.Parity.AuthTest do
  # All clients on a machine share the token files: each reads what the other has written.
  use HfHub.Case, async: false

  alias HfHub.{Auth, LocalHub, Python}
  alias HfHub.Auth.StoredToken

  @moduletag :python

  @names ~w(HF_HOME HF_TOKEN HUGGING_FACE_HUB_TOKEN LB_HF_TOKEN HF_TOKEN_PATH HF_ENDPOINT)

  setup context do
    own_env(@names)
    home = Path.join(context.dir, "home")
    System.put_env(%{"HF_HOME" => home, "HF_ENDPOINT" => context.endpoint})

    user = "both#{System.unique_integer([:positive])}"

    tokens =
      for name <- ["laptop", "Büro: 2 = 50%"], into: %{} do
        {name, LocalHub.command!(hub(), ["user", "add", user, "--token-name", name])}
      end

    python = &Python.run!(&1, context.endpoint, context.cache)
    {:ok, home: home, user: user, tokens: tokens, python: python}
  end

  defp files(home), do: for(name <- ["token", "stored_tokens"], do: File.read!(Path.join(home, name)))

  test "both clients write the same files", %{home: home, tokens: tokens, python: python} do
    for {_name, token} <- tokens, do: Auth.login!(token: token)
    ours = files(home)
    File.rm_rf!(home)
    for {_name, token} <- tokens, do: python.("login('#{token}')")
    assert files(home) == ours
  end

  test "the Python client reads, switches and removes tokens stored by this library",
       %{tokens: tokens, python: python} = context do
    for {_name, token} <- tokens, do: Auth.login!(token: token)

    listed =
      python.("from huggingface_hub.utils import get_stored_tokens\nprint(json.dumps(get_stored_tokens()))")

    assert listed |> python_json() == tokens
    assert python.("print(whoami()['name'])") == context.user
    python.("auth_switch('laptop')")
    assert Auth.get_token!() == tokens["laptop"]
    assert %StoredToken{in_use: true} = Enum.find(Auth.list_tokens!(), &(&1.name == "laptop"))
    python.("logout('laptop')")
    assert [%StoredToken{name: "Büro: 2 = 50%"}] = Auth.list_tokens!()
    python.("logout()")
    assert Auth.list_tokens!() == []
  end

  test "this library reads, switches and removes tokens stored by the Python client", %{
    tokens: tokens,
    python: python
  } do
    for {_name, token} <- tokens, do: python.("login('#{token}')")
    assert Map.new(Auth.list_tokens!(), &{&1.name, &1.token}) == tokens
    Auth.switch!("laptop")
    assert python.("print(get_token())") == tokens["laptop"]
    Auth.logout!(name: "laptop")
    assert python.("print(get_token())") == "None"
    Auth.logout!()
    assert python.("from huggingface_hub.utils import get_stored_tokens\nprint(get_stored_tokens())") == "{}"
  end

  test "each client renews a browser login of the other", %{user: user, python: python} = context do
    show = &LocalHub.command!(hub(), ["user", "approve", &1.user_code, user])
    Auth.login!(method: :browser, show: show)
    [stored] = Auth.list_tokens!()
    age(context.home, stored)
    fresh = python.("print(get_token())")
    assert fresh != stored.token and Auth.get_token!() == fresh
    [stored] = Auth.list_tokens!()
    age(context.home, stored)
    newest = Auth.get_token!()
    assert newest not in [fresh, stored.token]
    assert python.("print(get_token(), whoami()['name'])") == "#{newest} #{user}"
  end

  test "the Python client logs in by browser at the Local Hub", %{user: user, python: python} = context do
    code = """
    import subprocess, sys
    from huggingface_hub.utils._oauth_device import request_device_code, poll_device_token
    info = request_device_code()
    subprocess.run(["#{System.fetch_env!("HF_HUB_SERVER_PATH")}", "user", "approve", info["user_code"], "#{user}", "--root", "#{hub_root()}"], check=True)
    from huggingface_hub._login import _save_oauth_token
    print(*_save_oauth_token(poll_device_token(info)))
    """

    assert python.(code) == "oauth-#{user} #{user}"
    assert [%StoredToken{refreshable: true, in_use: true}] = Auth.list_tokens!()
    assert Auth.whoami!(endpoint: context.endpoint).name == user
  end

  # Sets back the expiry of the token.
  defp age(home, stored) do
    path = Path.join(home, "stored_tokens")
    old = to_string(DateTime.to_unix(stored.expires_at))
    File.write!(path, String.replace(File.read!(path), old, to_string(System.os_time(:second) + 60)))
    # This VM has cached the expiry, and would not check again before it.
    HfHub.Memory.clear()
  end

  defp hub_root, do: Path.join(System.tmp_dir!(), "hf_hub_test_root_#{System.pid()}")

  # Parsed with the parser of responses, which decodes escapes.
  defp python_json(text) do
    for [_all, name, value] <- Regex.scan(~r/"((?:[^"\\]|\\.)*)": "([^"]*)"/, text), into: %{} do
      name =
        Regex.replace(~r/\\u([0-9a-f]{4})/, name, fn _all, hex -> <<String.to_integer(hex, 16)::utf8>> end)

      {name, value}
    end
  end
end
