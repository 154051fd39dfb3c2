defmodule HfHub.AuthTerminalTest do
  # Logins at a real terminal, which `script` provides.
  use HfHub.Case, async: true

  alias HfHub.{LocalHub, Terminal, Vm}

  @moduletag :terminal

  # Runs a script at a terminal, types a reply after each prompt, and returns the output.
  defp at_terminal(context, body, answers) do
    {elixir, args} = Vm.script(context, body)
    quoted = Enum.map_join([elixir | args], " ", &("'" <> &1 <> "'"))
    home = Path.join(context.dir, "home")
    env = [{"HF_HOME", home}, {"HF_ENDPOINT", context.endpoint}, {"HF_TOKEN", ""}]
    replies = for {question, answer} <- answers, do: {question, answer <> "\n"}
    {status, screen} = Terminal.run(quoted, replies, env)
    assert status == 0, screen
    screen
  end

  setup do
    user = "typist#{System.unique_integer([:positive])}"
    token = LocalHub.command!(hub(), ["user", "add", user, "--token-name", "typed"])
    {:ok, user: user, token: token}
  end

  test "login reads a pasted token without echo", %{token: token, user: user} = context do
    body = """
    :ok = HfHub.Auth.login()
    IO.puts(HfHub.Auth.whoami!().name)
    """

    screen = at_terminal(context, body, [{"Number [1]:", "2"}, {"input is hidden", token}])
    assert screen =~ "2) by pasting a token" and screen =~ "/settings/tokens" and screen =~ "Logged in."
    assert screen =~ user
    refute screen =~ token
    assert File.read!(Path.join(context.dir, "home/token")) == token
  end

  test "login turns the echo on again", %{token: token} = context do
    body = """
    {:error, error} = HfHub.Auth.login(method: :paste)
    IO.puts("\#{error.kind}: \#{error.message}")
    IO.gets("and now: ")
    """

    screen = at_terminal(context, body, [{"input is hidden", "hf_mistyped"}, {"and now:", "seen again"}])
    assert screen =~ "unauthorized" and screen =~ "seen again"
    assert screen =~ "rejected the token from the prompt"
    refute screen =~ "hf_mistyped"
    refute screen =~ token
  end

  test "login without a terminal fails at once and names HF_TOKEN", context do
    body = """
    {:error, error} = HfHub.Auth.login()
    IO.puts("\#{error.kind}: \#{error.message}")
    """

    home = Path.join(context.dir, "home")
    env = [{"HF_HOME", home}, {"HF_ENDPOINT", context.endpoint}, {"HF_TOKEN", ""}]
    # A port's standard input is a pipe.
    assert {output, 0} = Vm.ended(Vm.open(Vm.script(context, body), [:exit_status, :stderr_to_stdout], env))
    assert output =~ "no_token: cannot prompt for a login without a terminal; set HF_TOKEN"
  end
end
