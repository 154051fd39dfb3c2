defmodule HfHub.NativeStructsTest do
  # Native code decodes responses into structs by the tables of `HfHub.Schema`. What it makes has to be what
  # `HfHub.Decode` makes; where it makes nothing, the map has to be as it was.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Decode, Download, Native, Request}

  defmodule Part do
    use HfHub.Schema, id: {"id", :name, "id"}, size: {"size", :integer, "size", default: 0}
  end

  defmodule Every do
    use HfHub.Schema,
      name: {"name", :name, "name"},
      note: {["a", "b"], :string, "note"},
      hash: {{:or, ["sha256", "oid"]}, :string, "hash"},
      hashed: {{:or, ["sha256", "oid"]}, :boolean, "hash or false", default: "none"},
      at: {"at", :datetime, "time"},
      again: {"at", :datetime, "time"},
      seconds: {"seconds", :timestamp, "time in seconds"},
      stage: {"stage", {:enum, [false, :on, off: "OFF"]}, "stage"},
      stages: {"stages", [{:enum, [:on, :x]}], "stages", default: []},
      safe: {"status", {:is, "safe"}, "whether it is safe"},
      interval: {"interval", {:clamp, 1..10}, "seconds", default: 5},
      owner: {"owner", {:in, "name"}, "owner"},
      authors: {"authors", [{:field, "user"}], "authors", default: []},
      part: {"part", Part, "part"},
      parts: {"parts", [Part], "parts"},
      nested: {"nested", [[Part]], "lists of parts"},
      times: {"times", [:datetime], "times"},
      by_name: {"by_name", {:map, Part}, "parts by name"},
      tags: {"tags", [:string], "tags"},
      known_tags: {"tags", [:string], "tags, if they are a list", default: []},
      count: {{:all, ["tags", "name"]}, :integer, "number of tags", by_some: :count},
      own: {:string, "name in native maps"},
      raw: {[], :map, "all of it"}

    defp count([tags, name]) when is_list(tags), do: {length(tags), name}
    defp count(_other), do: 0
  end

  # A struct with more keys than a flat map has.
  defmodule Large do
    use HfHub.Schema, [
      {:name, {"name", :name, "name"}}
      | for(n <- 1..40, do: {:"field#{n}", {"f#{n}", :integer, "number", [default: rem(n, 3)]}})
    ]
  end

  # Shows which objects native code has left to Elixir.
  for module <- [Every, Large] do
    defmodule Module.concat(module, Native) do
      @module module
      def __table__, do: @module.__table__()
      def __decode__(%@module{} = decoded), do: decoded
      def __decode__(json), do: {:left, json}
    end
  end

  # Of each type, and malformed for all others.
  @values ~w(null true false 0 -1 7 99 1.5 18446744073709551615 123456789012345678901234567890 1e300 "" "x" "safe" "OFF"
    "on" "2024-02-19T10:57:45.120Z" "2024-02-19T10:57:45Z" "2024-02-30T00:00:00Z" "2024-02-19T10:57:45+02:00"
    "0000-01-01T00:00:00.000001Z" "9999-12-31T23:59:59.999999Z" "2024-02-19T10:57:45.1234567Z" [] [null] [false] ["x",1]
    ["on",null,"?"] ["2024-02-19T10:57:45.000Z",7] {} {"id":"p"} {"id":null} {"id":"q","size":3} {"b":"n"} {"b":{"b":1}}
    {"name":"n"} {"name":{"name":1}} {"user":"ann"} [{"user":"ann"},5] [{"id":"p"},{"id":"q","id":"r"}] [{"id":1}]
    [{"id":"p"},null] [[{"id":"p"}],[]] {"r":{"id":"r"}} "\\u0000\\ud83d\\ude00" NaN)

  @names ~w(name a sha256 oid at seconds stage stages status interval owner authors part parts nested times by_name tags
    field other)

  # Serves each path its text, any number of times.
  defp served(texts) do
    {:ok, socket} = :gen_tcp.listen(0, [:binary, active: false, packet: :http_bin, ip: {127, 0, 0, 1}])
    {:ok, port} = :inet.port(socket)
    start_supervised!({Task, fn -> serve(socket, texts) end}, id: port)

    for at <- 0..(length(texts) - 1),
        do: Request.new(:get, "/#{at}", [], endpoint: "http://127.0.0.1:#{port}", token: false)
  end

  defp serve(socket, texts) do
    {:ok, connection} = :gen_tcp.accept(socket)
    {:ok, {:http_request, :GET, {:abs_path, "/" <> at}, _version}} = :gen_tcp.recv(connection, 0, 5000)
    text = Enum.at(texts, String.to_integer(at))
    head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
    :gen_tcp.send(connection, [head, "content-length: #{byte_size(text)}\r\n\r\n", text])
    :gen_tcp.shutdown(connection, :write)
    :gen_tcp.close(connection)
    serve(socket, texts)
  end

  # A text that native code parses on the heap of the caller, and not for a message.
  defp long(text), do: text <> String.duplicate(" ", 70_000)

  # Returns how many objects of a list were left to Elixir.
  defp same(module, items) do
    text = "[" <> Enum.join(items, ",") <> "]"
    left = left(module, text, length(items))
    assert left(module, long(text), length(items)) == left
    left
  end

  defp left(module, text, count) do
    [request] = served([text])
    {:ok, json} = Request.run(request)
    {:ok, found} = Request.run(request, [Module.concat(module, Native)])
    assert length(json) == count

    Enum.zip_reduce(json, found, 0, fn
      json, {:left, left}, count ->
        assert left === json
        count + 1

      json, found, count ->
        assert found === Decode.struct(module, json)
        count
    end)
  end

  defp object(entries),
    do: "{" <> Enum.map_join(entries, ",", fn {name, text} -> ~s("#{name}":#{text}) end) <> "}"

  test "each type is decoded as Elixir does, whatever the value" do
    items = for name <- @names, value <- @values, do: object([{"name", ~s("n")}, {name, value}])

    left = same(Every, items)
    # Those that Elixir alone decodes are the smaller part.
    assert left > 0 and left < div(length(items), 3), "#{left} of #{length(items)} were left to Elixir"
  end

  test "the report of a scan is decoded as Elixir does", context do
    {id, _commit} = repo(context, for(n <- 1..40, into: %{}, do: {"file#{n}", "content #{n}"}))
    folder = Download.snapshot_download!(opts(context, repo_id: id))

    # Days around the ends of months and leap years, before and after 1970.
    for n <- 1..40, do: folder |> Path.join("file#{n}") |> File.touch!(86_399 * 317 * (n - 10))

    spec = %{cache_dir: context.cache, spec: %{}}
    {:ok, maps} = Native.run(:scan, spec)
    {:ok, %Cache.Report{} = report} = Native.run(:scan, Map.put(spec, :structs, Decode.tables(Cache.Report)))
    assert report === Decode.struct(Cache.Report, maps)
    assert [%Cache.Repo{repo_type: :model, revisions: [%{files: [%Cache.File{} | _] = files}]}] = report.repos
    assert Enum.any?(files, &(DateTime.to_unix(&1.blob_last_modified) < 0))
  end

  test "any objects are decoded as Elixir does" do
    :rand.seed(:exsss, {1, 2, 3})

    items =
      for _item <- 1..500 do
        names = Enum.take_random(@names -- ["name"], :rand.uniform(8))
        object([{"name", ~s("n")} | for(name <- names, do: {name, Enum.random(@values)})])
      end

    assert same(Every, items) < 500
  end

  test "a struct of many fields is decoded as Elixir does" do
    :rand.seed(:exsss, {4, 5, 6})
    names = for n <- 1..40, do: "f#{n}"

    items =
      for count <- 0..40 do
        object([{"name", ~s("n")} | for(name <- Enum.take_random(names, count), do: {name, :rand.uniform(9)})])
      end

    assert same(Large, items) == 0
  end

  test "what is common is not left to Elixir" do
    common =
      ~s({"name":"n","a":{"b":"x"},"oid":"0","at":"2024-02-19T10:57:45.000Z","stage":"OFF","stages":["on"],"status":"safe",) <>
        ~s("owner":{"name":"o"},"part":{"id":"p"},"parts":[{"id":"q","size":1},{"id":"p"}],"times":[null],"other":[1]})

    assert same(Every, [common, ~s({"name":"n"}), common]) == 0
  end

  test "equal texts, objects and times in one response do not affect each other" do
    items =
      for n <- 1..300,
          do:
            ~s({"name":"#{rem(n, 7)}","at":"2024-02-19T10:57:4#{rem(n, 10)}Z","part":{"id":"#{rem(n, 3)}"},"a":{"b":"#{rem(n, 3)}"}})

    assert same(Every, items) == 0
  end

  test "an object that cannot be a struct, or anything else, is the error that Elixir returns" do
    texts =
      [
        ~s({"id":1}),
        ~s({"id":"p"}),
        ~s([{"id":"p"},7]),
        ~s([{"id":"p"},{"size":1}]),
        "null",
        "false",
        "7",
        "{}",
        "[]"
      ] ++
        [~s("x"), "[null]", "[false]", ~s([[{"id":"p"}]]), "NaN", "\ufeff[]", "[", String.duplicate("[", 200)]

    texts = texts ++ Enum.map(texts, &long/1)

    for {request, text} <- Enum.zip(served(texts), texts) do
      assert Request.run(request, [Part]) == Request.run(request, &Decode.items(&1, Decode.to(Part))), text
      assert Request.run(request, Part) == Request.run(request, Decode.to(Part)), text
      assert Request.list(request, nil, Part) == Request.list(request, nil, Decode.to(Part)), text
    end
  end

  test "the caller has the same minimum heap size after a long text" do
    [valid, invalid] = served([long("[1]"), long("[")])
    before = Process.info(self(), :min_heap_size)
    assert Request.run(valid) == {:ok, [1]}
    assert Process.info(self(), :min_heap_size) == before
    assert {:error, %{kind: :invalid_response}} = Request.run(invalid)
    assert Process.info(self(), :min_heap_size) == before
  end

  test "the heap of a caller does not grow with the number of long texts" do
    [request] = served([long("[1]")])
    for _call <- 1..30, do: {:ok, [1]} = Request.run(request)
    {:garbage_collection_info, heap} = Process.info(self(), :garbage_collection_info)
    assert heap[:heap_block_size] < 1_000_000
  end

  test "a process whose heap is limited reads a text that is longer than the limit" do
    [request] = served(["[1]" <> String.duplicate(" ", 8_000_000)])
    limit = %{size: 1_000_000, kill: true, error_logger: false}
    {pid, monitor} = :erlang.spawn_opt(fn -> exit(Request.run(request)) end, [:monitor, max_heap_size: limit])
    assert_receive {:DOWN, ^monitor, :process, ^pid, {:ok, [1]}}, 5000
  end

  test "recorded responses are decoded as Elixir does" do
    lines = "../fixtures/answers.jsonl" |> Path.expand(__DIR__) |> File.stream!() |> Enum.map(&String.trim/1)

    for {request, line} <- Enum.zip(served(Enum.map(lines, &body/1)), lines) do
      [_all, name] = Regex.run(~r/^{"struct": "([\w.]+)"/, line)
      module = Module.concat([name])
      {:ok, json} = Request.run(request)
      decoder = if is_list(json), do: [module], else: module
      expected = if is_list(json), do: Enum.map(json, Decode.to(module)), else: Decode.struct(module, json)
      assert Request.run(request, decoder) === {:ok, expected}
    end
  end

  defp body(line) do
    [_struct, body] = String.split(line, ~s(, "body": ), parts: 2)
    String.slice(body, 0..-2//1)
  end
end
