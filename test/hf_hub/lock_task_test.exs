defmodule HfHub.LockTaskTest do
  use HfHub.Case, async: false

  import ExUnit.CaptureIO

  alias Mix.Tasks.HfHub.{Get, Lock}

  setup context do
    {id, commit} =
      repo(context, %{"config.json" => "{}", "model.safetensors" => large(50_000), "x.bin" => "x"})

    {:ok, id: id, commit: commit, lock: Path.join(context.dir, "hf_hub.lock")}
  end

  # Returns the exit status, the result and the messages.
  defp run(task, context, args) do
    me = self()
    more = ["--lock", context.lock, "--endpoint", context.endpoint]

    messages =
      capture_io(:stderr, fn ->
        send(
          me,
          {:output, capture_io(fn -> send(me, {:status, status(fn -> task.run(args ++ more) end)}) end)}
        )
      end)

    assert_received {:status, status}
    assert_received {:output, output}
    {status, output, messages}
  end

  defp status(work) do
    work.()
    0
  catch
    :exit, {:shutdown, status} -> status
  end

  defp lock(context, args), do: run(Lock, context, args)
  defp get(context, args), do: run(Get, context, args ++ ["--cache-dir", context.cache])

  test "pins, shows, gets, checks, bundles and removes", %{id: id, commit: commit} = context do
    assert {0, output, ""} =
             lock(context, [id, "--include", "*.json", "--include", "*.safetensors", "--json"])

    assert output =~ ~s("commit":"#{commit}") and output =~ ~s("files":2)
    assert {0, output, ""} = lock(context, ["--quiet"])
    assert output == "model/#{id}\n"
    assert {0, _output, _hint} = lock(context, ["--check"])
    assert {0, _output, _hint} = lock(context, ["--all"])

    assert {1, "", message} = get(context, ["--check"])
    assert message =~ "not in the cache; run `mix hf_hub.get`"
    assert {1, "", _message} = get(context, ["--offline"])
    assert {0, path, ""} = get(context, ["--quiet"])
    assert Enum.sort(File.ls!(String.trim(path))) == ["config.json", "model.safetensors"]
    assert {0, _output, _hint} = get(context, ["--check"])
    assert {0, output, ""} = get(context, [id, "--offline", "--json"])
    assert output =~ ~s("downloaded":0)

    bundle = Path.join(context.dir, "bundle")
    assert {0, _output, _hint} = get(context, ["--bundle", bundle])
    assert File.exists?(Path.join(bundle, "hf_hub.lock"))

    assert {0, output, ""} = lock(context, [])
    assert output =~ ~r"model/#{id} +main +#{String.slice(commit, 0, 8)} +2 +50\.0 kB"
    # What the table names.
    assert {0, _output, ""} = lock(context, ["model/#{id}", "--remove"])
    assert {0, "No results found.\n", ""} = lock(context, [])
  end

  test "a damaged file in the cache fails --check", %{id: id} = context do
    lock(context, [id])
    {0, path, ""} = get(context, ["--quiet"])
    File.write!(Path.join(String.trim(path), "model.safetensors"), "damaged")
    assert {1, "", message} = get(context, ["--check"])
    assert message =~ ~s("model.safetensors" of model/#{id})
  end

  test "exits with 2 for flags that exclude each other, and with 1 for an invalid lock file", context do
    assert {2, "", message} = lock(context, ["--all", "--check"])
    assert message =~ "mutually exclusive"
    assert {2, "", _message} = lock(context, ["--remove"])
    File.write!(context.lock, "System.halt(3)")
    assert {1, "", message} = lock(context, [])
    assert message =~ "invalid lock file"
  end
end
