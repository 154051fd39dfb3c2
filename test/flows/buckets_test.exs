defmodule HfHub.Flows.BucketsTest do
  # Events and pages of buckets of a Local Hub.
  use HfHub.Case, async: true

  alias HfHub.{Buckets, Error}
  alias HfHub.Buckets.Operation

  setup :writer

  setup context do
    ours = [endpoint: context.endpoint, token: context.writer, retry_delay: 10]
    bucket = "#{context.account}/data"
    Buckets.create!(bucket, ours)
    {:ok, bucket: bucket, ours: ours}
  end

  defp batch(bucket, operations, ours), do: :ok = Buckets.batch!(bucket, operations, ours)

  defp changes(bucket, opts) do
    events = Buckets.events(bucket, [follow: false] ++ opts) |> Enum.to_list()
    assert %{type: :ready, cursor: cursor} = List.last(events)
    {for(event <- events, change <- event.changes, do: {change.op, change.path}), cursor}
  end

  test "changes are returned since a position, and followed", %{bucket: bucket, ours: ours} do
    since = Buckets.get!(bucket, ours).updated_at
    batch(bucket, [Operation.add("a", {:binary, "1"}), Operation.add("b", {:binary, "2"})], ours)
    assert {[add: "a", add: "b"], cursor} = changes(bucket, [since: since] ++ ours)
    assert {[], ^cursor} = changes(bucket, ours)
    test = self()

    follower =
      spawn_link(fn ->
        for event <- Buckets.events(bucket, [cursor: cursor] ++ ours), do: send(test, {event.type, event})
      end)

    assert_receive {:ready, _event}, 10_000
    batch(bucket, [Operation.add("a", {:binary, "three"}), Operation.delete("b")], ours)

    assert_receive {:changes, %{changes: [%{op: :update, path: "a", size: 5}, %{op: :delete, path: "b"}]}},
                   10_000

    Process.unlink(follower)
    Process.exit(follower, :kill)
    assert {[update: "a", delete: "b"], _cursor} = changes(bucket, [cursor: cursor] ++ ours)

    # The Hub rejects the position of another bucket, and the client takes an earlier one.
    assert {_changes, cursor} = changes(bucket, [cursor: "other-1"] ++ ours)
    assert {[], ^cursor} = changes(bucket, [cursor: cursor] ++ ours)
    Buckets.update_settings!(bucket, [private: true] ++ ours)
    hidden = Buckets.events(bucket, follow: false, token: false, endpoint: ours[:endpoint])
    assert_raise Error, fn -> Enum.to_list(hidden) end
  end

  test "pages show buckets, folders and files to those who may see them",
       %{bucket: bucket, ours: ours} = context do
    files = [
      Operation.add("d/a b.txt", {:binary, "<b>text</b>"}),
      Operation.add("x.bin", {:binary, <<0, 1>>}),
      Operation.add("empty", {:binary, ""})
    ]

    batch(bucket, files, ours)
    {:ok, _started} = Application.ensure_all_started(:inets)

    page = fn path, token ->
      auth =
        if token, do: [{~c"authorization", ~c"Basic " ++ :base64.encode_to_string("any:" <> token)}], else: []

      request = {to_charlist(ours[:endpoint] <> path), [{~c"accept", ~c"text/html"} | auth]}

      {:ok, {{_version, status, _text}, headers, body}} =
        :httpc.request(:get, request, [], body_format: :binary)

      {status, body, headers}
    end

    for {path, words} <- [
          {"/buckets", bucket},
          {"/buckets?search=data", bucket},
          {"/#{context.account}", "/buckets/#{bucket}"},
          {"/buckets/#{bucket}", "/buckets/#{bucket}/tree/d"},
          {"/buckets/#{bucket}/tree/d", "a b.txt"},
          {"/buckets/#{bucket}/blob/d/a%20b.txt", "&lt;b&gt;text&lt;/b&gt;"},
          {"/buckets/#{bucket}/blob/x.bin", "not text"},
          {"/buckets/#{bucket}/blob/empty", "is empty"}
        ] do
      assert {200, body, headers} = page.(path, nil)
      assert body =~ words, "#{path}: #{body}"
      refute body =~ "<script"
      policy = List.keyfind(headers, ~c"content-security-policy", 0) |> elem(1)
      assert to_string(policy) =~ "default-src 'none'"
    end

    for path <- [
          "/buckets/#{bucket}/tree/no",
          "/buckets/#{bucket}/blob/no",
          "/buckets/no/no",
          "/buckets/a/b/c"
        ],
        do: assert({404, _body, _headers} = page.(path, nil))

    Buckets.update_settings!(bucket, [private: true] ++ ours)

    for path <- ["/buckets/#{bucket}", "/buckets/#{bucket}/blob/x.bin"] do
      assert {404, _body, _headers} = page.(path, nil)
      assert {200, _body, _headers} = page.(path, context.writer)
    end

    for path <- ["/buckets?search=data", "/#{context.account}"] do
      {200, body, _headers} = page.(path, nil)
      refute body =~ bucket
      {200, body, _headers} = page.(path, context.writer)
      assert body =~ bucket
    end
  end
end
