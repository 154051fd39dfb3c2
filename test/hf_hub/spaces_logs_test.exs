defmodule HfHub.SpacesLogsTest do
  # Streams of logs: lines of a file that grows, and everything that can end them.
  use HfHub.Case, async: true

  alias HfHub.{Error, LocalHub, Repo, Spaces}

  setup :writer

  setup context do
    ours = [endpoint: context.endpoint, token: context.writer, retry_delay: 10]
    id = "#{context.account}/app"
    Repo.create!(id, [repo_type: :space, space_sdk: :gradio] ++ ours)
    {:ok, id: id, ours: ours}
  end

  defp log(id, line, hub \\ hub(), more \\ []), do: LocalHub.command!(hub, ["space", "log", id, line | more])

  # Sends each line of a stream to the test.
  defp reader(id, opts) do
    test = self()
    spawn(fn -> for line <- Spaces.logs(id, opts), do: send(test, {:line, line}) end)
  end

  defp streams(id), do: for(request <- requests("#{id}/logs"), do: request)

  test "returns the lines so far", %{id: id, ours: ours} do
    log(id, "one")
    log(id, "zwei ä \e[31mred")
    log(id, "built", hub(), ["--build"])
    assert Enum.to_list(Spaces.logs(id, [quiet: 300] ++ ours)) == ["one\n", "zwei ä \e[31mred\n"]
    assert Enum.to_list(Spaces.logs(id, [build: true, quiet: 300] ++ ours)) == ["built\n"]
  end

  test "lines so far end where the response began, although the app goes on writing", %{id: id, ours: ours} do
    event = fn seconds ->
      time = DateTime.utc_now() |> DateTime.add(seconds) |> DateTime.to_iso8601()
      ~s(data: {"timestamp": "#{time}", "data": "#{seconds}\\n"}\n\n)
    end

    body = Enum.map_join([-60, 0, 30, 60], event)

    fault("/api/spaces/#{id}/logs/run", %{
      kind: "status",
      code: 200,
      body: body,
      headers: %{"content-type" => "text/event-stream"}
    })

    assert Enum.to_list(Spaces.logs(id, ours)) == ["-60\n", "0\n"]
    assert Enum.to_list(Spaces.logs(id, [follow: true] ++ ours)) == ["-60\n", "0\n", "30\n", "60\n"]
  end

  test "follows a log that grows, and halting the stream closes the connection", %{id: id, ours: ours} do
    log(id, "one")
    reader = Task.async(fn -> Spaces.logs(id, [follow: true] ++ ours) |> Enum.take(3) end)
    eventually(fn -> streams(id) != [] end)
    log(id, "two")
    log(id, "three")
    assert Task.await(reader) == ["one\n", "two\n", "three\n"]
    eventually(fn -> match?([%{"aborted" => true}], streams(id)) end)
  end

  test "the exit of the owner closes the connection", %{id: id, ours: ours} do
    log(id, "one")
    owner = reader(id, [follow: true] ++ ours)
    assert_receive {:line, "one\n"}, 5_000
    Process.exit(owner, :kill)
    eventually(fn -> match?([%{"aborted" => true}], streams(id)) end)
  end

  test ":timeout ends a stream that follows, and is an error for one that does not", %{id: id, ours: ours} do
    log(id, "one")
    assert Enum.to_list(Spaces.logs(id, [follow: true, timeout: 300] ++ ours)) == ["one\n"]
    eventually(fn -> match?([%{"aborted" => true}], streams(id)) end)
    error = assert_raise Error, fn -> Enum.to_list(Spaces.logs(id, [timeout: 200] ++ ours)) end
    assert error.kind == :timeout
  end

  test "continues after the server was killed and started again, without repeated lines", context do
    Process.flag(:trap_exit, true)
    root = Path.join(context.dir, "hub")
    {:ok, hub} = LocalHub.start_link(root: root)
    LocalHub.command!(hub, ["user", "add", "me", "--token", "hf_me"])
    endpoint = LocalHub.endpoint(hub)
    ours = [endpoint: endpoint, token: "hf_me", retry_delay: 50]
    Repo.create!("me/app", [repo_type: :space, space_sdk: :gradio] ++ ours)
    for line <- ["one", "two"], do: log("me/app", line, hub)
    reader("me/app", [follow: true] ++ ours)
    assert_receive {:line, "one\n"}, 5_000
    assert_receive {:line, "two\n"}, 5_000

    {:os_pid, server} = Port.info(:sys.get_state(hub).port, :os_pid)
    {_output, 0} = System.cmd("kill", ["-9", "#{server}"])
    assert_receive {:EXIT, ^hub, {:local_hub_exited, 137}}, 5_000
    {:ok, hub} = LocalHub.start_link(root: root, port: URI.parse(endpoint).port)
    log("me/app", "three", hub)
    assert_receive {:line, "three\n"}, 10_000
    refute_received {:line, _repeated}
    LocalHub.stop(hub)
  end

  test "a stream to a server that stays away ends with an error", context do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"))
    LocalHub.command!(hub, ["user", "add", "me", "--token", "hf_me"])
    ours = [endpoint: LocalHub.endpoint(hub), token: "hf_me", retry_delay: 10, retries: 2]
    Repo.create!("me/app", [repo_type: :space, space_sdk: :gradio] ++ ours)
    log("me/app", "one", hub)
    stream = Spaces.logs("me/app", [follow: true] ++ ours)

    error =
      assert_raise Error, fn ->
        Enum.each(stream, fn "one\n" -> LocalHub.stop(hub) end)
      end

    assert error.kind == :transport
  end

  test "a missing Space, a stranger and a wrong id are errors", %{id: id, ours: ours} do
    kind = fn id, opts -> assert_raise(Error, fn -> Enum.to_list(Spaces.logs(id, opts)) end).kind end
    assert kind.("#{id}-none", ours) == :repo_not_found
    assert kind.(id, Keyword.put(ours, :token, token())) == :forbidden
    assert kind.("a/b/c", ours) == :invalid_name
  end
end
