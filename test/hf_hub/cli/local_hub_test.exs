defmodule HfHub.CLI.LocalHubTest do
  # Commands against the Local Hub, without the Python client.
  use HfHub.Case, async: false

  import ExUnit.CaptureIO

  alias HfHub.{CLI, DuckDb}

  # Returns the exit status, stdout and stderr.
  defp run(args, input \\ "") do
    me = self()

    stderr =
      capture_io(:stderr, fn ->
        stdout = capture_io([input: input], fn -> send(me, {:status, CLI.run(args)}) end)
        send(me, {:stdout, stdout})
      end)

    assert_received {:status, status}
    assert_received {:stdout, stdout}
    {status, stdout, stderr}
  end

  defp hub(args), do: args ++ ["--endpoint", endpoint(), "--token", token()]

  test "results go to stdout and nothing else does", context do
    {id, commit} = repo(context, %{"a.txt" => "a"})
    assert {0, stdout, ""} = run(hub(["download", id, "a.txt", "--quiet", "--cache-dir", context.cache]))
    assert String.trim(stdout) =~ ~r"/snapshots/#{commit}/a.txt$"
    assert {1, "", "Error: " <> message} = run(hub(["download", id, "b.txt", "--cache-dir", context.cache]))
    assert message =~ "b.txt"

    assert {1, json, "Error: " <> _} =
             run(hub(["download", id, "b.txt", "--cache-dir", context.cache, "--json"]))

    assert json =~ ~s("error":"entry_not_found")
  end

  test "an error in the middle of a result is an error of the command" do
    assert {1, "", "Error: " <> _} = run(hub(["jobs", "logs", "0123456789abcdef01234567"]))
    assert {1, json, _} = run(hub(["jobs", "logs", "0123456789abcdef01234567", "--json"]))
    assert json =~ ~s("error":)
  end

  test "texts, diffs and dry runs are objects with --json", context do
    id = writable(context, %{"README.md" => "---\nlicense: mit\n---\n# Hi\n"})

    json = fn args ->
      assert {0, json, ""} = run(args)
      assert {:ok, value} = HfHub.Native.run(:parse_json, json)
      value
    end

    assert %{"content" => "---\nlicense: mit\n---\n# Hi\n"} = json.(hub(["models", "card", id, "--json"]))
    assert %{"text" => text} = json.(hub(["models", "card", id, "--text", "--json"]))
    assert text =~ "# Hi" and not (text =~ "mit")

    run(hub(["discussions", "create", id, "--title", "tidy up", "--pull-request"]))
    assert Map.has_key?(json.(hub(["discussions", "diff", id, "1", "--json"])), "diff")

    assert %{"dry_run" => true, "job" => %{"image" => "alpine", "command" => "true"}} =
             json.(["jobs", "run", "--dry-run", "--json", "alpine", "true"])

    run(hub(["buckets", "create", id]))
    assert %{"files" => []} = json.(hub(["buckets", "rm", id, "--recursive", "--dry-run", "--json"]))

    assert %{"files" => ["a.txt"], "dry_run" => true} =
             json.(hub(["buckets", "rm", "#{id}/a.txt", "--dry-run", "--json"]))
  end

  test "repo files lists the files of a repository of any type", context do
    {id, _commit} = repo(context, %{"a.txt" => "a", "d/b.txt" => "bb"}, repo_type: :dataset)
    files = ["repo", "files", "datasets/#{id}"]
    assert {0, ".gitattributes\na.txt\nd/\n", ""} = run(hub(files ++ ["--quiet"]))
    assert {0, json, ""} = run(hub(["repo", "files", id, "--type", "dataset", "-R", "--json"]))
    assert json =~ ~s("path":"d/b.txt")
  end

  test "values that the library rejects have exit status 1, and so has an unset secret", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    assert {1, "", "Error: invalid value: " <> _} = run(hub(["download", id, "--max-workers", "0"]))
    job = ["jobs", "run", "--secrets", "HF_HUB_NOT_SET", "python:3.12", "true"]
    assert {1, "", stderr} = run(hub(job))
    assert stderr =~ "not set in the environment: HF_HUB_NOT_SET"
  end

  test "warnings go to stderr, and not among the results", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    args = hub(["download", id, "--include", "b*", "--quiet", "--cache-dir", context.cache])
    assert {0, stdout, stderr} = redirected(context, args, "")
    assert [_folder] = String.split(stdout, "\n", trim: true)
    assert stderr =~ ~r/\AWarning: .*no file.*\n\z/
  end

  # Runs a command in a VM of its own, with redirections of the shell; returns the exit status, stdout and stderr.
  defp redirected(context, args, redirections, env \\ []) do
    {elixir, args} = HfHub.Vm.script(context, "HfHub.CLI.main(#{inspect(args)})")
    errors = Path.join(context.dir, "errors")
    command = ["-c", ~s("$0" "$@" 2>'#{errors}' #{redirections}), elixir | args]
    {stdout, status} = System.cmd("sh", command, env: HfHub.Vm.env(env))
    {status, stdout, File.read!(errors)}
  end

  test "a result that stdout does not take is an error of the command", context do
    {id, _commit} = repo(context, %{"a.bin" => large(1_000_000)})
    assert {1, "", stderr} = redirected(context, hub(["cp", "hf://#{id}/a.bin", "-"]), ">/dev/full")
    # OTP logs why.
    assert stderr =~ ~r/^Error: cannot write to stdout/m and not (stderr =~ "ErlangError")
    # The only write of this one.
    assert {1, "", stderr} = redirected(context, hub(["download", "--help"]), ">/dev/full")
    assert stderr =~ ~r/^Error: cannot write to stdout/m and not (stderr =~ "ErlangError")
  end

  test "cp replaces no pipe or device", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    pipe = Path.join(context.dir, "pipe")
    {_, 0} = System.cmd("mkfifo", [pipe])
    assert {2, "", "Error: " <> _message} = run(hub(["cp", "hf://#{id}/a.txt", pipe]))
    assert {:ok, %{type: :other}} = File.lstat(pipe)
  end

  test "lines of logs keep their spaces, and lose control characters" do
    assert CLI.Output.log_line("  File \"a.py\"\tline 1\e[31m\r\n") ==
             ~s(  File "a.py"        line 1) <> "�[31m"
  end

  test "a mistyped command or option names the nearest one, with exit status 2" do
    assert {2, "", stderr} = run(["dowload", "x/y"])
    assert stderr =~ ~s(unknown command "dowload"; did you mean download?)
    assert {2, "", stderr} = run(["repo", "crate", "x/y"])
    assert stderr =~ ~s(unknown command "crate"; did you mean create?)
    assert {2, "", stderr} = run(["whoami"])
    assert stderr =~ "did you mean auth whoami?"
    assert {2, "", stderr} = run(["download", "x/y", "--tokn", "hf_secret"])
    assert stderr =~ "unknown option --tokn; did you mean --token?" and not (stderr =~ "hf_secret")
    assert {2, stdout, ""} = run([])
    assert stdout =~ "Usage: hf_hub COMMAND"
    assert {0, version, ""} = run(["--version"])
    assert String.trim(version) == HfHub.version()
  end

  test "upload --every commits a file with any name to a new branch, and warns of flags without effect",
       context do
    id = "reader/cli-#{System.unique_integer([:positive])}"
    write_files(context.dir, %{"a [1].txt" => "a", "a 1.txt" => ""})
    File.touch!(Path.join(context.dir, "a [1].txt"), System.os_time(:second) - 5)
    more = ["--every", "60", "--revision", "new", "--exclude", "a*", "--commit-message", "m"]
    args = hub(["upload", id, Path.join(context.dir, "a [1].txt") | more])

    stderr =
      capture_io(:stderr, fn ->
        capture_io(fn ->
          command = spawn(fn -> CLI.run(args) end)
          # It waits after the first commit.
          eventually(fn ->
            Process.info(command, :current_function) == {:current_function, {Process, :sleep, 1}}
          end)

          Process.exit(command, :shutdown)
        end)
      end)

    files = HfHub.Api.list_repo_files!(id, revision: "new", endpoint: endpoint(), token: token())
    assert files -- [".gitattributes"] == ["a [1].txt"]
    assert stderr =~ "--exclude has no effect" and stderr =~ "--commit-message has no effect"
    assert {2, "", stderr} = run(args ++ ["--create-pr"])
    assert stderr =~ "--every and --create-pr are mutually exclusive"
  end

  test "a deletion asks on stderr, and does nothing without a yes", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"}, id: "reader/cli-#{System.unique_integer([:positive])}")
    assert {1, "", stderr} = run(hub(["repo", "delete", id]), "n\n")
    assert stderr =~ "permanently delete model '#{id}'. Proceed? [y/N]" and stderr =~ "nothing was changed"
    assert {1, "", stderr} = run(hub(["repo", "delete", id, "--quiet"]))
    assert stderr =~ "Pass --yes"
    assert {0, stdout, _stderr} = run(hub(["repo", "delete", id]), "y\n")
    assert stdout =~ "Repo deleted"
  end

  test "env shows versions and settings, and no token" do
    assert {0, stdout, ""} = run(hub(["env"]))
    # The versions are in the columns of the settings.
    columns =
      for [line] <- Regex.scan(~r/^(?:hf_hub|endpoint) +/m, stdout, capture: :first), do: byte_size(line)

    assert [_one] = Enum.uniq(columns)
    assert stdout =~ ~r/^hf_hub +#{HfHub.version()}$/m and stdout =~ endpoint()
    refute stdout =~ token()
    assert {0, json, ""} = run(hub(["env", "--json"]))
    assert json =~ ~s("endpoint":{"origin":":option") and not (json =~ token())
  end

  test "users of a Local Hub are managed by its folder", context do
    root = Path.join(context.dir, "hub")
    added = run(["hub", "user", "--root", root, "add", "ann", "--token", "hf_ann"])
    assert {0, "hf_ann\n", _stderr} = added
    assert {0, listed, _stderr} = run(["hub", "user", "--root", root, "list"])
    assert listed =~ "ann"
    assert {2, "", _stderr} = run(["hub", "user", "--root", root, "nonsense"])
  end

  # Programs of the folder come before others.
  defp in_path(folder, more \\ %{}) do
    env = Map.merge(%{"PATH" => "#{folder}:#{System.get_env("PATH")}"}, more)
    before = Map.take(System.get_env(), Map.keys(env))
    System.put_env(env)
    on_exit(fn -> System.put_env(before) end)
  end

  defp duckdb, do: in_path(Path.join(DuckDb.home(), "bin"), %{"HOME" => DuckDb.home()})

  @tag :duckdb
  test "datasets sql runs a query with DuckDB, in the order of its columns" do
    duckdb()
    assert {0, json, _stderr} = run(hub(["datasets", "sql", "select 2 as z, 'x' as a;", "--json"]))
    assert json == ~s([{"a":"x","z":2}]\n)
    assert {0, table, _stderr} = run(hub(["datasets", "sql", "select 2 as z, 'x' as a"]))
    assert table =~ ~r/^Z +A/
    assert {1, "", stderr} = run(hub(["datasets", "sql", "select nothing"]))
    assert stderr =~ "DuckDB ended with exit status 1"
  end

  @tag :duckdb
  test "datasets sql reads a file of a private dataset on the Hub, with the token", context do
    duckdb()
    id = "reader/sql-#{System.unique_integer([:positive])}"
    repo(context, %{"a.csv" => "n,word\n1,one\n2,two\n"}, id: id, repo_type: :dataset, private: true)
    query = "select sum(n)::int as n from '#{endpoint()}/datasets/#{id}/resolve/main/a.csv'"
    assert {0, ~s([{"n":3}]\n), ""} = run(hub(["datasets", "sql", query, "--json"]))
    assert {1, "", stderr} = run(["datasets", "sql", query, "--endpoint", endpoint(), "--token", "hf_wrong"])
    assert stderr =~ "DuckDB ended with exit status 1"
  end

  # Reads its input to the end, as DuckDB does if a quote is open.
  defp stand_in_for_duckdb(context) do
    input = Path.join(context.dir, "input")
    program = Path.join(context.dir, "bin/duckdb")
    write_files(context.dir, %{"bin/duckdb" => ~s(#!/bin/sh\ncat >'#{input}'; echo '[{"x":1}]'\n)})
    File.chmod!(program, 0o755)
    in_path(Path.dirname(program))
    input
  end

  @tag timeout: 10_000
  test "datasets sql ends the query, and the input of DuckDB", context do
    input = stand_in_for_duckdb(context)
    assert {0, _table, ""} = run(hub(["datasets", "sql", "select 'x -- all"]))
    assert File.read!(input) == "select 'x -- all\n;\n"
  end

  @tag timeout: 10_000
  test "datasets sql passes the token for its own Hub only", context do
    input = stand_in_for_duckdb(context)
    query = ["datasets", "sql", "from 'hf://datasets/me/data/a.csv'", "--token", "hf_o'ne", "--endpoint"]
    assert {0, _table, ""} = run(query ++ ["https://hub.example"])
    assert File.read!(input) =~ "BEARER_TOKEN 'hf_o''ne', SCOPE 'https://hub.example/'"
    refute File.read!(input) =~ "HUGGINGFACE"
    assert {0, _table, ""} = run(query ++ ["https://huggingface.co/"])
    assert File.read!(input) =~ "HUGGINGFACE, TOKEN 'hf_o''ne'"
    File.rm!(input)
  end

  test "a delivery of a webhook is sent again", context do
    fault = %{
      kind: "status",
      code: 200,
      headers: %{"content-type" => "application/json"},
      body: ~s({"status":204})
    }

    id = "654bbbc16f2ec14d77f109cc"
    path = "{/api/settings/webhooks/#{id}/replay/66a1c0ffee0ddba11c0ffee0}"
    control(:post, "faults", %{match: path, method: "POST", fault: fault}, context.endpoint)
    assert {0, json, ""} = run(hub(["webhooks", "replay", id, "66a1c0ffee0ddba11c0ffee0", "--json"]))
    assert json =~ ~s("status":204)
    assert {1, "", "Error: " <> _message} = run(hub(["webhooks", "replay", id, "nonsense/.."]))
  end
end
