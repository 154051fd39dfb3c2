defmodule HfHub.BucketsTest do
  use HfHub.Case, async: true, hub: :own

  alias HfHub.Buckets
  alias HfHub.Buckets.{Change, Event, Operation}

  @hash String.duplicate("0a", 32)

  setup do
    {:ok, bucket: "org/bucket-#{System.unique_integer([:positive])}-#{System.pid()}"}
  end

  defp plant(path, body, more \\ %{}) do
    headers = Map.merge(%{"content-type" => "application/json"}, more[:headers] || %{})
    status = %{kind: "status", code: more[:code] || 200, headers: headers, body: body}
    fault("{#{path}}", status, Map.take(more, [:times, :skip]))
  end

  defp asked(bucket), do: for(request <- requests(bucket), do: {request["path"], request["query"]})

  test "a name that cannot be a bucket is refused before a request" do
    for bad <- ["name", "a/b/c", "hf://a/b", "hf://buckets/a/b/c", nil, [token: "hf_secret"]] do
      assert {:error, %HfHub.Error{kind: :invalid_name}} = Buckets.get(bad, write()), inspect(bad)
      assert {:error, %HfHub.Error{kind: :invalid_name}} = Buckets.delete(bad, write())
      assert {:error, %HfHub.Error{kind: :invalid_name}} = Buckets.move(bad, "a/b", write())
      assert {:error, %HfHub.Error{kind: :invalid_name}} = Buckets.move("a/b", bad, write())

      assert {:error, %HfHub.Error{kind: :invalid_name}} =
               Buckets.batch(bad, [Operation.delete("x")], write())

      assert {:error, %HfHub.Error{kind: :invalid_name}} = Buckets.paths_info(bad, ["x"], write())
      assert_raise HfHub.Error, fn -> Buckets.events(bad, write()) end
    end

    assert_raise HfHub.Error, fn -> Buckets.stream_tree("name", write()) end
    assert {:error, %HfHub.Error{kind: :invalid_name}} = Buckets.list_tree("a/b/c", write(prefix: "d"))
  end

  test "invalid arguments raise" do
    for bad <- [nil, "x", [:delete], [token: "hf_secret"]] do
      error = assert_raise ArgumentError, fn -> Buckets.batch("a/b", bad, write()) end
      refute error.message =~ "hf_secret"
    end

    for bad <- ["/x", "../x", "x//y", "", "dir/", nil] do
      assert_raise ArgumentError, fn -> Operation.delete(bad) end
      assert_raise ArgumentError, fn -> Operation.add(bad, {:xet, @hash}) end
      assert_raise ArgumentError, fn -> Operation.copy(bad, @hash, "a/b") end
    end

    assert_raise ArgumentError, fn -> Operation.copy("x", "0a", "a/b") end
    assert_raise ArgumentError, fn -> Operation.copy("x", @hash, "a/b/c") end
    assert_raise ArgumentError, fn -> Operation.copy("x", @hash, "hf://datasets/a/b") end
    assert_raise ArgumentError, fn -> Operation.add("x", {:xet, "abc"}) end
    assert_raise ArgumentError, fn -> Buckets.create("a/b", private: true, visibility: :public) end
    assert_raise ArgumentError, fn -> Buckets.update_settings("a/b", []) end
    assert_raise ArgumentError, fn -> Buckets.events("a/b", cursor: "x", since: DateTime.utc_now()) end
    assert_raise ArgumentError, fn -> Buckets.paths_info("a/b", [nil], write()) end
  end

  test "copies that the Hub cannot make are refused before a request" do
    for {from, to} <- [{"hf://buckets/a/b/x", "hf://a/c"}, {"a/b", "hf://buckets/a/b"}, {"hf://a/b", "a/c"}] do
      assert {:error, %HfHub.Error{kind: :invalid_name}} = Buckets.copy(from, to, write())
    end
  end

  test "the lists are lazy and follow the pages", context do
    link = "<#{context.endpoint}/api/buckets/#{context.bucket}/tree?cursor=2>; rel=\"next\""
    path = "/api/buckets/#{context.bucket}/tree"
    entry = fn name -> ~s([{"type":"file","path":"#{name}","size":1,"xetHash":"#{@hash}"}]) end
    plant(path, entry.("b"))
    plant(path, entry.("a"), %{times: 1, headers: %{"link" => link}})
    plant(path, entry.("a"), %{times: 1, headers: %{"link" => link}})

    assert [%{path: "a", type: :file}] = Buckets.stream_tree(context.bucket, write()) |> Enum.take(1)
    assert length(asked(context.bucket)) == 1
    assert {:ok, [%{path: "b"}]} = Buckets.list_tree(context.bucket, write())
  end

  test "a missing bucket is an error that names it", context do
    headers = %{"x-error-code" => "RepoNotFound"}

    plant("/api/buckets/#{context.bucket}", ~s({"error":"Repository not found"}), %{
      code: 404,
      headers: headers
    })

    assert {:error, %{kind: :repo_not_found} = error} = Buckets.get(context.bucket, write())
    assert error.message =~ "the bucket #{inspect(context.bucket)} was not found"
    assert error.repo_id == context.bucket
    assert :ok = Buckets.delete(context.bucket, write(missing_ok: true))
  end

  test "media types are those of the Python client" do
    for {path, type} <- [
          {"a.json", "application/json"},
          {"A.JSON", "application/json"},
          {"x/a.tar.gz", "application/x-tar"},
          {"a.tgz", "application/x-tar"},
          {"a.gz", nil},
          {"x/.json", nil},
          {"json", nil},
          {"x.json/y", nil},
          {"a.parquet", nil},
          {"a.svgz", "image/svg+xml"}
        ] do
      assert Operation.add(path, {:xet, @hash}).content_type == type, path
    end
  end

  defp sse(events), do: Enum.map_join(events, fn {name, data} -> "event: #{name}\ndata: #{data}\n\n" end)

  defp plant_events(bucket, events, more \\ %{}) do
    plant(
      "/api/buckets/#{bucket}/events",
      sse(events),
      Map.put(more, :headers, %{"content-type" => "text/event-stream"})
    )
  end

  test "events are returned, and the stream goes on after a response has ended", context do
    changes =
      ~s({"cursor":"c1","changes":[{"path":"a","op":"add","size":3,"xetHash":"#{@hash}","uploadedAt":"2026-01-02T03:04:05Z"},) <>
        ~s({"path":"b","op":"new"},{"op":"delete"},{"path":"c","op":"delete"}]})

    # The rule that was planted last has precedence.
    plant_events(context.bucket, [{"changes", ~s({"cursor":"c3","changes":[{"path":"d","op":"update"}]})}])

    plant_events(context.bucket, [{"ready", "{}"}, {"reconnect", ~s({"cursor":"c2"})}, {"changes", "{}"}], %{
      times: 2
    })

    plant_events(context.bucket, [{"hello", "{}"}, {"changes", changes}, {"changes", "[]"}], %{times: 1})

    assert [
             %Event{type: :changes, cursor: "c1", changes: [added, deleted]},
             %Event{type: :ready, cursor: "c1"},
             %Event{type: :changes, cursor: "c3", changes: [%Change{path: "d", op: :update, size: nil}]}
           ] = Buckets.events(context.bucket, write(since: ~U[2026-01-01 00:00:00Z])) |> Enum.take(3)

    assert %Change{path: "a", op: :add, size: 3, xet_hash: @hash, uploaded_at: ~U[2026-01-02 03:04:05Z]} =
             added

    assert %Change{path: "c", op: :delete} = deleted

    assert for({_path, query} <- asked(context.bucket), do: query) == [
             "since=2026-01-01T00%3A00%3A00Z",
             "cursor=c1",
             "cursor=c2"
           ]
  end

  test "a reset begins again at the last change of the bucket", context do
    plant("/api/buckets/#{context.bucket}", ~s({"id":"a/b","updatedAt":"2026-03-04T05:06:07.000Z"}))
    plant_events(context.bucket, [{"ready", ~s({"cursor":"c9"})}])
    plant_events(context.bucket, [{"reset", ~s({"reason":"too old"})}], %{times: 1})

    assert [%Event{type: :reset, reason: "too old"}, %Event{type: :ready, cursor: "c9"}] =
             Buckets.events(context.bucket, write(cursor: "c0")) |> Enum.take(2)

    assert [{_, "cursor=c0"}, {_, nil}, {_, "since=2026-03-04T05%3A06%3A07.000Z"}] = asked(context.bucket)
  end

  test "without following, the events end once they are ready", context do
    plant_events(context.bucket, [
      {"changes", ~s({"cursor":"c1","changes":[]})},
      {"ready", "{}"},
      {"changes", "{}"}
    ])

    events = Buckets.events(context.bucket, write(follow: false)) |> Enum.to_list()
    assert [%{type: :changes}, %{type: :ready}] = events
    assert length(asked(context.bucket)) == 1
  end

  test "a bucket without events is an error, and a timeout the end", context do
    path = "/api/buckets/#{context.bucket}/events"
    plant_events(context.bucket, [{"changes", ~s({"cursor":"c1","changes":[]})}])
    assert [_ | _] = Buckets.events(context.bucket, write(timeout: 300)) |> Enum.to_list()
    plant(path, "{}", %{code: 501})
    assert_raise HfHub.Error, fn -> Buckets.events(context.bucket, write(retries: 0)) |> Enum.to_list() end
    plant_events(context.bucket, [])

    assert_raise HfHub.Error, ~r/too early/, fn ->
      Buckets.events(context.bucket, write()) |> Enum.to_list()
    end
  end
end
