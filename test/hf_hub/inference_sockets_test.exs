defmodule HfHub.InferenceSocketsTest do
  # A Local Hub of its own, so that all its connections are those of this test.
  use HfHub.InferenceCase, hub: :own

  alias HfHub.Inference

  test "many streams at once leave no connection open, however they end", context do
    respond(context.base, String.duplicate(chunk(%{"content" => "x"}), 1_000), %{type: "text/event-stream"})
    fault(context.base, %{kind: "dribble", bytes: 100, every_ms: 20})
    {:ok, chunks} = Inference.chat_completion(client(context), @hello, stream: true)

    halted = fn _number -> {:ok, chunks |> Enum.take(2) |> length()} end
    assert Enum.to_list(Inference.map(1..50, halted, max_concurrency: 50)) == List.duplicate({:ok, 2}, 50)

    raised = fn _number -> Enum.each(chunks, fn _chunk -> raise "mine" end) end
    assert [{:error, _raised} | _more] = Enum.to_list(Inference.map(1..20, raised, max_concurrency: 20))

    me = self()

    owners =
      for _number <- 1..50, do: spawn(fn -> Enum.each(chunks, fn _chunk -> send(me, {:read, self()}) end) end)

    for owner <- owners, do: assert_receive({:read, ^owner}, 10_000)
    assert open_connections() > 50
    for owner <- owners, do: Process.exit(owner, :kill)

    # Of the request that asks.
    eventually(fn -> open_connections() <= 1 end)
    eventually(fn -> Enum.all?(requests(context.base), & &1["aborted"]) end)
  end
end
