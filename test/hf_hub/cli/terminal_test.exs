defmodule HfHub.CLI.TerminalTest do
  # `bin/hf_hub` at a real terminal, which `script` provides: progress, prompts, Ctrl-C.
  use HfHub.Case, async: true

  alias HfHub.{Terminal, Vm}

  @moduletag :terminal

  @launcher Path.expand("../../../bin/hf_hub", __DIR__)

  defp env(context, more \\ []) do
    home = Path.join(context.dir, "home")

    [
      {"HF_HOME", home},
      {"HF_ENDPOINT", context.endpoint},
      {"HF_TOKEN", token()},
      {"MIX_ENV", "test"}
    ] ++
      for(name <- ~w(HF_HUB_CACHE HF_HUB_DISABLE_PROGRESS_BARS HF_HUB_OFFLINE), do: {name, ""}) ++ more
  end

  # A terminal has a size; `script` without one gives it none. Ctrl-C goes to the shell of the line, too.
  defp at_terminal(context, line, replies, more \\ []) do
    line = "stty cols 100 rows 30; trap : INT; hf_hub() { '#{@launcher}' \"$@\"; }; #{line}"
    Terminal.run(line, replies, env(context, more))
  end

  defp ends_in_order(screen) do
    assert screen =~ ~r/(?<!-)\becho\b/ and screen =~ ~r/(?<!-)\bicanon\b/, screen
  end

  test "progress is shown on a terminal, and only the path is on stdout", context do
    {id, _commit} = repo(context, %{"model.bin" => large(3_000_000)})
    out = Path.join(context.dir, "out")
    assert {0, screen} = at_terminal(context, "hf_hub download #{id} model.bin >'#{out}'", [])
    assert screen =~ "100%" and screen =~ "model.bin" and screen =~ "done", inspect(screen)
    assert [_message, "  path: " <> path] = out |> File.read!() |> String.split("\n", trim: true)
    assert File.regular?(path)
    assert {0, screen} = at_terminal(context, "hf_hub download #{id} model.bin --quiet --force-download", [])
    assert String.trim(screen) == path
  end

  test "no progress is shown elsewhere", context do
    {id, _commit} = repo(context, %{"model.bin" => large(3_000_000)})
    {output, 0} = System.cmd(@launcher, ["download", id], env: Vm.env(env(context)), stderr_to_stdout: true)
    refute output =~ "%"
    assert output =~ "✓ Downloaded\n  path: "
  end

  test "Ctrl-C ends a download with status 1, and the next one continues", context do
    content = large(12_000_000)
    {id, _commit} = repo(context, %{"model.bin" => content})
    fault(sha256(content), %{kind: "stall", after: 9_000_000}, %{times: 1})
    line = "hf_hub download #{id} model.bin; echo status=$?; stty -a"
    assert {0, screen} = at_terminal(context, line, [{"MB of 12", "\x03"}])
    assert screen =~ "status=1" and screen =~ "Aborted.", inspect(screen)
    ends_in_order(screen)
    assert {0, screen} = at_terminal(context, "hf_hub download #{id} model.bin", [])
    assert screen =~ "resumed at"
    refute Enum.any?(Path.wildcard(context.dir <> "/home/hub/**/*.incomplete"))
  end

  test "Ctrl-C at the prompt for a token turns the echo on again", context do
    line = "hf_hub auth login; echo status=$?; stty -a"
    replies = [{"Number [1]:", "2\n"}, {"input is hidden", "hf_typed\x03"}]
    assert {0, screen} = at_terminal(context, line, replies, [{"HF_TOKEN", ""}])
    assert screen =~ "status=1" and not (screen =~ "hf_typed")
    ends_in_order(screen)
  end

  test "the echo is on again after a VM was ended from the menu of Ctrl-C, as in a Mix task", context do
    ebin = Application.app_dir(:hf_hub, "ebin")
    on? = "stty -a | grep -q '[^-]echo '"

    line =
      "elixir -pa '#{ebin}' -e 'HfHub.CLI.main([\"auth\", \"login\"])'; for i in $(seq 100); do #{on?} && break; sleep 0.2; done; stty -a"

    replies = [{"Number [1]:", "2\n"}, {"input is hidden", "\x03"}, {"(a)bort", "a\n"}]
    assert {0, screen} = at_terminal(context, line, replies, [{"HF_TOKEN", ""}])
    ends_in_order(screen)
  end

  test "a login reads the token without echo, and stores it", context do
    user = "cli#{System.unique_integer([:positive])}"
    secret = HfHub.LocalHub.command!(hub(), ["user", "add", user, "--token-name", "typed"])
    replies = [{"Number [1]:", "2\n"}, {"input is hidden", secret <> "\n"}]

    assert {0, screen} =
             at_terminal(context, "hf_hub auth login && hf_hub auth whoami", replies, [{"HF_TOKEN", ""}])

    assert screen =~ "user: #{user}" and not (screen =~ secret)
    assert File.read!(Path.join(context.dir, "home/token")) == secret
  end

  # Runs a line of the shell without a terminal; returns its stdout, what is on stderr, and the exit status.
  defp in_shell(context, line) do
    errors = Path.join(context.dir, "errors")
    line = "hf_hub() { '#{@launcher}' \"$@\"; }; { #{line}; } 2>'#{errors}'"
    {stdout, status} = System.cmd("bash", ["-o", "pipefail", "-c", line], env: Vm.env(env(context)))
    {stdout, File.read!(errors), status}
  end

  test "a closed stdin is an error, where a command reads it, and so is a folder", context do
    id = writable(context, %{"a.txt" => "a"})

    for {line, why} <- [
          {"cp - hf://#{id}/a.txt <&-", "it is closed"},
          {"cp - hf://#{id}/a.txt </tmp", "it is a folder"},
          {"discussions create #{id} --title t --body-file - <&-", "it is closed"},
          {"jobs run --env-file - alpine true <&-", "it is closed"}
        ] do
      assert {"", "Error: " <> message, 1} = in_shell(context, "hf_hub " <> line)
      assert message =~ "cannot read stdin: #{why}", line
    end

    assert {_output, "", 0} = in_shell(context, "hf_hub download #{id} <&-")
    assert content(context, id)["a.txt"] == "a"
  end

  test "a closed stdout is an error of a command that has a result", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    assert {"", stderr, 1} = in_shell(context, "hf_hub cp hf://#{id}/a.txt - >&-")
    assert stderr =~ "cannot write to stdout: it is closed"
  end

  test "a reader that wants no more ends a command, without a word", context do
    {id, _commit} = repo(context, %{"a.bin" => large(20_000_000)})
    assert {<<_::80>>, "", 1} = in_shell(context, "hf_hub cp hf://#{id}/a.bin - | head -c 10")
    assert {_lines, "", 1} = in_shell(context, "hf_hub completion bash | true")
  end

  test "what is typed at a terminal is read until Ctrl-D", context do
    id = writable(context)
    replies = [{"Ctrl-D at the start of a line ends it", "héllo\n\x04"}]
    assert {0, screen} = at_terminal(context, "hf_hub cp - hf://#{id}/typed.txt", replies)
    assert screen =~ "Uploaded"
    assert content(context, id)["typed.txt"] == "héllo\n"
  end

  test "a question is asked at the terminal", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"}, id: "reader/cli-#{System.unique_integer([:positive])}")
    assert {1, screen} = at_terminal(context, "hf_hub repo delete #{id}", [{"[y/N]", "n\n"}])
    assert screen =~ "nothing was changed"
    assert {0, screen} = at_terminal(context, "hf_hub repo delete #{id}", [{"[y/N]", "y\n"}])
    assert screen =~ "Repo deleted"
  end

  @tag :ssh
  test "jobs ssh leaves the terminal to ssh, whose exit status is that of the command", context do
    {:ok, closed} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
    {:ok, port} = :inet.port(closed)
    :gen_tcp.close(closed)
    id = "687fb701029421ae5549d9#{Enum.random(10..99)}"
    status = %{stage: "RUNNING", sshUrl: "ssh://me@127.0.0.1:#{port}"}
    body = HfHub.Native.Nif.to_json(%{id: id, status: status, owner: %{name: "reader"}})
    fault = %{kind: "status", code: 200, headers: %{"content-type" => "application/json"}, body: body}
    control(:post, "faults", %{match: "{/api/jobs/reader/#{id}}", method: "GET", fault: fault})

    assert {255, screen} = at_terminal(context, "hf_hub jobs ssh reader/#{id}", [])
    assert screen =~ "Running ssh -p #{port} me@127.0.0.1" and screen =~ "Connection refused"
    assert {0, screen} = at_terminal(context, "hf_hub jobs ssh reader/#{id} --dry-run", [])
    assert String.trim(screen) == "ssh -p #{port} me@127.0.0.1"
  end

  test "upload --every commits changes until Ctrl-C", context do
    id = "reader/every-#{System.unique_integer([:positive])}"
    folder = folder(context, %{"a.txt" => "a"})
    line = "hf_hub upload #{id} '#{folder}' --every 60; echo status=$?; stty -a"
    assert {0, screen} = at_terminal(context, line, [{"Committing changes every 60 minutes", "\x03"}])
    assert screen =~ "Uploaded" and screen =~ "status=1", inspect(screen)
    ends_in_order(screen)
    assert "a.txt" in HfHub.Api.list_repo_files!(id, endpoint: context.endpoint, token: token())
  end
end
