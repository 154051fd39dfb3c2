defmodule HfHub.RequestEventsTest do
  # Event streams, against the Local Hub with responses and faults injected for each test's path.
  use HfHub.Case, async: true

  alias HfHub.{Error, Request}

  @sse "text/event-stream"

  # A separate route per test, which responds with this text.
  defp route(context, text, more \\ %{}) do
    path = "/api/models/org/events-#{System.unique_integer([:positive])}-#{System.pid()}"
    headers = %{"content-type" => more[:type] || @sse}
    fault(path, %{kind: "status", code: more[:code] || 200, headers: headers, body: text})
    Request.new(more[:method] || :get, path, [], opts(context, token: false, retries: 3))
  end

  defp data(events), do: Enum.map(events, & &1.data)

  test "returns server-sent events with their ids, types and decoded data", context do
    text = ~s(: hi\nid: 1\nevent: log\ndata: {"line": "ä",\ndata: "n": 1}\n\ndata: [DONE]\n\n)

    events = Enum.to_list(Request.events(route(context, text)))
    assert Enum.all?(events, &is_integer(&1.opened_at))

    assert Enum.map(events, &Map.delete(&1, :opened_at)) == [
             %{id: "1", event: "log", data: %{"line" => "ä", "n" => 1}},
             %{id: "1", event: nil, data: "[DONE]"}
           ]
  end

  test "returns a JSON value per line if the response is not server-sent events", context do
    request = route(context, ~s({"a":1}\n\n2\n"x"), %{type: "application/x-ndjson"})
    assert data(Request.events(request)) == [%{"a" => 1}, 2, "x"]
  end

  test "sends headers and body of the request, and does not repeat a POST", context do
    request = route(context, "data: 1\n\ndata: 2\n\n", %{method: :post})
    fault(request.path, %{kind: "drop", after: 12})

    request = request |> Request.json(%{"stream" => true}) |> Request.put_header("x-request-purpose", "test")

    me = self()
    events = Request.events(request)

    assert_raise Error, fn -> Enum.each(events, &send(me, {:event, &1.data})) end
    assert_received {:event, 1}
    refute_received {:event, _}
    assert [%{"method" => "POST"}] = requests(request.path)
  end

  test "continues a broken stream without repeating an event", context do
    text = Enum.map_join(1..5, &"id: #{&1}\ndata: #{&1}\n\n")
    request = route(context, text)
    fault(request.path, %{kind: "drop", after: 40}, %{times: 1})
    # The injected response is the same each time; a real server would send the events after the given id.
    assert data(Request.events(request)) == [1, 2, 1, 2, 3, 4, 5]
    assert [_first, _second] = requests(request.path)
  end

  test "closes the connection when the reader halts", context do
    request = route(context, String.duplicate("data: 1\n\n", 1_000))
    fault(request.path, %{kind: "dribble", bytes: 9, every_ms: 20})
    assert data(Enum.take(Request.events(request), 2)) == [1, 1]
    eventually(fn -> match?([%{"aborted" => true}], requests(request.path)) end)
  end

  test "closes the connection when its owner exits", context do
    request = route(context, String.duplicate("data: 1\n\n", 1_000))
    fault(request.path, %{kind: "dribble", bytes: 9, every_ms: 20})
    me = self()

    owner =
      spawn(fn -> request |> Request.events() |> Enum.each(fn event -> send(me, {:event, event.data}) end) end)

    assert_receive {:event, 1}, 5_000
    Process.exit(owner, :kill)
    eventually(fn -> match?([%{"aborted" => true}], requests(request.path)) end)
  end

  test "ends after :quiet without events, and with an error at the timeout", context do
    stalled = fn ->
      request = route(context, "data: 1\n\ndata: 2\n\n")
      fault(request.path, %{kind: "stall", after: 9})
      request
    end

    assert data(Request.events(stalled.(), quiet: 200)) == [1]

    late = stalled.()
    late = %{late | opts: [timeout: 300] ++ late.opts}
    error = assert_raise Error, fn -> Enum.to_list(Request.events(late)) end
    assert error.kind == :timeout
  end

  test "an error response is an error about the route", context do
    refused = route(context, "", %{code: 404})
    assert %Error{kind: :not_found} = assert_raise(Error, fn -> Enum.to_list(Request.events(refused)) end)
  end
end
