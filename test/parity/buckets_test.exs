defmodule HfHub.Parity.BucketsTest do
  # The responses are planted, so the wire is compared for what a Hub may send, too.
  use HfHub.TwoHubs

  alias HfHub.{Buckets, Error}
  alias HfHub.Buckets.Operation

  @hash String.duplicate("0a", 32)
  @other String.duplicate("b1", 32)

  defp bucket(more \\ %{}) do
    Map.merge(
      %{
        id: "acme/b",
        private: true,
        createdAt: "2026-02-06T17:37:57.000Z",
        updatedAt: "2026-02-07T17:37:57.000Z",
        size: 12,
        totalFiles: 2
      },
      more
    )
  end

  defp file(path, more \\ %{}),
    do:
      Map.merge(%{type: "file", path: path, size: 5, xetHash: @hash, mtime: "2026-02-06T17:37:57.123Z"}, more)

  test "calls about buckets send the same requests and return the same", %{ours: ours} = context do
    plant(
      context,
      "POST",
      "/api/buckets/acme/b",
      %{url: "https://huggingface.co/buckets/acme/b", name: "acme/b", id: "1"},
      times: 2
    )

    plant(context, "POST", "/api/buckets/me/mine", %{url: "https://huggingface.co/buckets/me/mine"})
    plant(context, "GET", "/api/buckets/acme/b", bucket())

    plant(context, "GET", "/api/buckets/me", [
      bucket(%{id: "me/one"}),
      bucket(%{id: "me/two", private: false})
    ])

    plant(context, "GET", "/api/buckets/acme", [bucket()])
    plant(context, "PUT", "/api/buckets/acme/b/settings", %{private: true})
    plant(context, "POST", "/api/repos/move", "OK", type: "text/plain")
    plant(context, "DELETE", "/api/buckets/acme/b", %{error: "Not found"}, code: 404)
    plant(context, "DELETE", "/api/buckets/acme/b", "", times: 1)

    theirs =
      theirs(context, """
      def show(b):
          print(b.id, b.private, b.size, b.total_files, b.created_at.isoformat())
      for options in [dict(private=True, region="eu"), dict(visibility="public", resource_group_id="66670e5163145ca562cb1988")]:
          try:
              api.create_bucket("acme/b", **options)
          except Exception:
              pass
      try:
          api.create_bucket("mine")
      except Exception:
          pass
      show(api.bucket_info("acme/b"))
      for b in api.list_buckets():
          show(b)
      for b in api.list_buckets("acme", search="b"):
          show(b)
      api.update_bucket_settings("acme/b", private=True)
      api.move_bucket("acme/b", "me/b")
      api.delete_bucket("acme/b")
      api.delete_bucket("acme/b", missing_ok=True)
      """)

    assert %{repo_type: :bucket, repo_id: "acme/b"} =
             Buckets.create!("acme/b", [private: true, region: :eu] ++ ours)

    Buckets.create!(
      "hf://buckets/acme/b",
      [visibility: :public, resource_group_id: "66670e5163145ca562cb1988"] ++ ours
    )

    assert Buckets.create!("mine", ours).repo_id == "me/mine"
    one = Buckets.get!("acme/b", ours)
    listed = Buckets.list!(ours) ++ Enum.to_list(Buckets.stream([namespace: "acme", search: "b"] ++ ours))
    :ok = Buckets.update_settings!(one, [private: true] ++ ours)
    assert Buckets.move!("acme/b", "me/b", ours).url == context.hubs.ours <> "/buckets/me/b"
    :ok = Buckets.delete!("acme/b", ours)
    :ok = Buckets.delete!("acme/b", [missing_ok: true] ++ ours)

    assert String.split(theirs, "\n") == Enum.map([one | listed], &show/1)
    assert_same(context)
    assert {:error, %Error{kind: :not_found}} = Buckets.delete("acme/b", ours)
  end

  defp show(b) do
    private = b.private |> to_string() |> String.capitalize()

    created =
      b.created_at |> DateTime.truncate(:second) |> DateTime.to_iso8601() |> String.replace("Z", "+00:00")

    "#{b.id} #{private} #{b.size} #{b.total_files} #{created}"
  end

  test "a bucket that exists is returned with exist_ok", %{ours: ours} = context do
    taken = %{error: "taken", url: "https://huggingface.co/buckets/acme/b", id: "1"}
    plant(context, "POST", "/api/buckets/acme/b", taken, code: 409)
    plant(context, "POST", "/api/buckets/other/b", %{error: "no"}, code: 403)
    plant(context, "GET", "/api/buckets/other/b", bucket(%{id: "other/b"}))

    theirs(context, """
    print(api.create_bucket("acme/b", exist_ok=True).bucket_id)
    print(api.create_bucket("other/b", exist_ok=True).bucket_id)
    """)

    assert Buckets.create!("acme/b", [exist_ok: true] ++ ours).repo_id == "acme/b"
    assert Buckets.create!("other/b", [exist_ok: true] ++ ours).repo_id == "other/b"
    assert_same(context)
    assert {:error, %Error{kind: :conflict}} = Buckets.create("acme/b", ours)
    assert {:error, %Error{kind: :forbidden}} = Buckets.create("other/b", ours)
  end

  test "calls about files send the same requests and return the same", %{ours: ours} = context do
    folder = %{type: "directory", path: "p", uploadedAt: "2026-02-06T17:37:57.123Z"}
    plant(context, "GET", "/api/buckets/acme/b/tree", [folder, file("é.txt"), %{type: "new", path: "x"}])
    plant(context, "GET", "/api/buckets/acme/b/tree/p/q", [file("p/q.bin", %{mtime: nil})])
    plant(context, "POST", "/api/buckets/acme/b/paths-info", [file("a")])
    headers = %{"x-xet-hash" => @hash, "x-linked-size" => "7", "link" => "<https://x/api>; rel=\"xet-auth\""}
    redirect = Map.put(headers, "location", "https://cdn.example/x")
    plant(context, "HEAD", "/buckets/acme/b/resolve/p/q.bin", "", code: 302, headers: redirect)

    theirs =
      theirs(context, """
      def show(e):
          size, hash = (e.size, e.xet_hash) if e.type == "file" else (None, None)
          mtime = getattr(e, "mtime", None)
          print(e.type, e.path, size, hash, mtime and mtime.timestamp())
      for e in list(api.list_bucket_tree("acme/b")) + list(api.list_bucket_tree("acme/b", "p/q", recursive=True)):
          show(e)
      for e in api.get_bucket_paths_info("acme/b", [str(n) for n in range(1001)]):
          show(e)
      m = api.get_bucket_file_metadata("acme/b", "p/q.bin")
      print(m.size, m.xet_file_data.file_hash)
      """)

    entries =
      Buckets.list_tree!("acme/b", ours) ++
        Enum.to_list(Buckets.stream_tree("hf://buckets/acme/b/p/q", [recursive: true] ++ ours)) ++
        Buckets.paths_info!("acme/b", Enum.map(0..1000, &to_string/1), ours)

    metadata = Buckets.file_metadata!("acme/b", "p/q.bin", ours)
    assert metadata.refresh_url == "https://x/api"

    assert String.split(theirs, "\n") ==
             Enum.map(entries, &show_entry/1) ++ ["#{metadata.size} #{metadata.xet_hash}"]

    assert_same(context)
  end

  defp show_entry(e) do
    type = if e.type == :folder, do: "directory", else: "file"
    mtime = if e.mtime, do: DateTime.to_unix(e.mtime, :millisecond) / 1000

    Enum.map_join(
      [type, e.path, e.size, e.xet_hash, mtime],
      " ",
      &if(&1 == nil, do: "None", else: to_string(&1))
    )
  end

  test "a batch sends the same lines, in parts if it is large", %{ours: ours} = context do
    plant(context, "POST", "/api/buckets/acme/b/batch", %{success: true, failed: []})

    theirs(context, """
    copies = [("model", "acme/m", "#{@hash}", "y.bin"), ("bucket", "acme/c", "#{@other}", "a/z.json")]
    api.batch_bucket_files("acme/b", copy=copies, delete=["x", "a/é"])
    api.batch_bucket_files("acme/b", copy=copies * 501, delete=[str(n) for n in range(1001)])
    api.batch_bucket_files("acme/b")
    """)

    copies = [
      Operation.copy("y.bin", @hash, "acme/m", source_type: :model),
      Operation.copy("a/z.json", @other, "acme/c")
    ]

    :ok = Buckets.batch!("acme/b", [Operation.delete("x"), Operation.delete("a/é")] ++ copies, ours)
    deletes = Enum.map(0..1000, &Operation.delete("#{&1}"))
    :ok = Buckets.batch!("acme/b", Enum.flat_map(1..501, fn _n -> copies end) ++ deletes, ours)
    :ok = Buckets.batch!("acme/b", [], ours)

    assert [{_, _, _, [_, _, _, _], _} | _] = ours = untimed(context.hubs.ours)
    assert ours == untimed(context.hubs.theirs)
    assert length(ours) == 5
  end

  # Without the times of copies.
  defp untimed(endpoint) do
    for {method, path, query, body, status} <- asked(endpoint) do
      {method, path, query, body && Enum.map(body, &untimed_line/1), status}
    end
  end

  defp untimed_line(line) do
    assert line["type"] != "copyFile" or is_integer(line["mtime"])
    Map.delete(line, "mtime")
  end

  test "the failures of a batch are in its error, and the other parts are sent", %{ours: ours} = context do
    failed = fn path -> %{success: false, failed: [%{path: path, error: "no such hash"}]} end
    plant(context, "POST", "/api/buckets/acme/b/batch", failed.("1000"))
    plant(context, "POST", "/api/buckets/acme/b/batch", failed.("1"), code: 422, times: 1)

    theirs =
      theirs(context, """
      from huggingface_hub.errors import BucketBatchError
      try:
          api.batch_bucket_files("acme/b", delete=[str(n) for n in range(1001)])
      except BucketBatchError as e:
          print([f["path"] for f in e.failures])
      """)

    assert theirs =~ "['1', '1000']"

    assert {:error, %Error{kind: :bad_request, repo_id: "acme/b"} = error} =
             Buckets.batch("acme/b", Enum.map(0..1000, &Operation.delete("#{&1}")), ours)

    assert [%{"path" => "1", "error" => "no such hash"}, %{"path" => "1000"}] = error.details["failed"]
    assert error.message =~ "2 of 1001 operations"
    assert_same(context)
  end

  test "copies between buckets and repositories send the same requests", %{ours: ours} = context do
    plant(context, "POST", "/api/buckets/acme/b/batch", %{success: true})
    # The destination is a file, a folder, and nothing.
    plant(context, "POST", "/api/buckets/acme/b/paths-info", [])
    plant(context, "POST", "/api/buckets/acme/b/paths-info", [file("f.bin")], times: 1)
    plant(context, "GET", "/api/buckets/acme/b/tree/dir", [file("dir/x"), file("dirty")])
    plant(context, "GET", "/api/buckets/acme/b/tree/new", [file("newer")])
    # The source is a file, and then a folder.
    plant(context, "POST", "/api/buckets/acme/c/paths-info", [])
    plant(context, "POST", "/api/buckets/acme/c/paths-info", [file("s/one.bin")], times: 3)
    files = [file("s/one.bin"), file("s/t/two.bin"), file("second"), %{type: "directory", path: "s/t"}]
    plant(context, "GET", "/api/buckets/acme/c/tree/s", files)
    blob = %{oid: String.duplicate("c", 40)}
    tree = [Map.merge(file(".gitattributes"), blob), Map.merge(file("w/m.bin"), blob)]
    plant(context, "GET", "/api/datasets/acme/d/tree/main", tree)

    pairs = [
      {"hf://buckets/acme/c/s/one.bin", "hf://buckets/acme/b/f.bin"},
      {"hf://buckets/acme/c/s/one.bin", "hf://buckets/acme/b/dir"},
      {"hf://buckets/acme/c/s/one.bin", "hf://buckets/acme/b/new/"},
      {"hf://buckets/acme/c/s", "hf://buckets/acme/b/dir"},
      {"hf://buckets/acme/c/s/", "hf://buckets/acme/b/dir"},
      {"hf://buckets/acme/c/s", "hf://buckets/acme/b/new"},
      {"hf://buckets/acme/c/s", "hf://buckets/acme/b"},
      {"hf://datasets/acme/d", "hf://buckets/acme/b/dir/"}
    ]

    calls = for {from, to} <- pairs, do: "api.copy_files(#{inspect(from)}, #{inspect(to)})\n"
    theirs(context, Enum.join(calls))
    for {from, to} <- pairs, do: assert(:ok == Buckets.copy!(from, to, ours))

    batches =
      for {"POST", path, _, body, _} <- asked(context.hubs.ours),
          path =~ "/batch",
          do: Enum.map(body, & &1["path"])

    assert batches == [
             ["f.bin"],
             ["dir/one.bin"],
             ["new/one.bin"],
             ["dir/s/one.bin", "dir/s/t/two.bin"],
             ["dir/one.bin", "dir/t/two.bin"],
             ["new/one.bin", "new/t/two.bin"],
             ["s/one.bin", "s/t/two.bin"],
             ["dir/w/m.bin"]
           ]

    # A tree is asked for with other parameters that mean the same.
    wire = fn hub ->
      for {method, path, _query, body, status} <- asked(hub) do
        {method, path, is_list(body) && Enum.map(body, &Map.delete(&1, "mtime")), status}
      end
    end

    assert wire.(context.hubs.ours) == wire.(context.hubs.theirs)
  end

  # Which files of both sides there are, and how their sizes and times compare.
  @remote [
    {"both/same.txt", 4, 0},
    {"both/size.txt", 5, 0},
    {"both/newer.txt", 4, 60},
    {"both/older.txt", 4, -60},
    {"both/within.txt", 4, 1},
    {"remote/[x].bin", 4, 0},
    {"remote/new.tmp", 4, 0}
  ]

  @syncs [
    [],
    [delete: true],
    [ignore_times: true],
    [ignore_sizes: true, delete: true],
    [existing: true],
    [ignore_existing: true, delete: true],
    [include: ["both/*", "*.bin"], exclude: ["*/newer.*"], delete: true],
    [exclude: ["both/", "[!b]*.tmp"], delete: true],
    [filter_from: true, include: ["*.tmp"], delete: true]
  ]

  test "plans of a synchronization are the same in both directions", %{ours: ours} = context do
    now = ~U[2026-02-06 17:00:00Z]
    folder = Path.join(context.dir, "folder")

    names =
      for({name, _size, _seconds} <- @remote, name =~ "both/", do: name) ++ ["local/only.txt", "local/x.tmp"]

    for name <- names do
      path = Path.join(folder, name)
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, "four")
      File.touch!(path, DateTime.to_unix(now))
    end

    rules = Path.join(context.dir, "rules")
    File.write!(rules, "# rules\n\n- both/newer.*\n+ both/*\nlocal/only.txt\n")

    entries =
      for {name, size, seconds} <- @remote,
          do: file(name, %{size: size, mtime: now |> DateTime.add(seconds) |> DateTime.to_iso8601()})

    for prefix <- ["", "/both"], do: plant(context, "GET", "/api/buckets/acme/b/tree#{prefix}", entries)

    calls =
      for opts <- @syncs, direction <- [:up, :down], prefix <- ["", "/both"] do
        opts = if opts[:filter_from], do: Keyword.put(opts, :filter_from, rules), else: opts
        remote = "hf://buckets/acme/b" <> prefix
        {from, to} = if direction == :up, do: {folder, remote}, else: {remote, folder}
        {from, to, opts}
      end

    script =
      for {from, to, opts} <- calls, into: "import io, contextlib\n" do
        named = Enum.map_join(opts, fn {name, value} -> ", #{name}=#{python_value(value)}" end)

        """
        with contextlib.redirect_stdout(io.StringIO()):
            plan = api.sync_bucket(#{inspect(from)}, #{inspect(to)}, dry_run=True#{named})
        print("|".join(f"{o.action},{o.path},{o.size},{o.reason.split(' (--')[0]}" for o in plan.operations))
        """
      end

    theirs = theirs(context, script <> "print('end')")

    plans =
      for {from, to, opts} <- calls do
        plan = Buckets.sync!(from, to, [dry_run: true] ++ opts ++ ours)
        Enum.map_join(plan.operations, "|", &"#{&1.action},#{&1.path},#{&1.size},#{&1.reason}")
      end

    for {{call, ours}, theirs} <- calls |> Enum.zip(plans) |> Enum.zip(String.split(theirs, "\n")),
        do: assert(ours == theirs, inspect(call))

    # The Python client also asks for the number of files, which its progress line shows.
    listed = fn hub ->
      for {_, "/api/buckets/acme/b/tree" <> _, _, _, _} = request <- asked(hub), do: request
    end

    assert listed.(context.hubs.ours) == listed.(context.hubs.theirs)
    assert length(listed.(context.hubs.ours)) == length(calls)
  end

  defp python_value(true), do: "True"
  defp python_value(other), do: inspect(other)

  test "a saved plan can be read by the Python client", %{ours: ours} = context do
    plant(context, "GET", "/api/buckets/acme/b/tree", [file("a"), file("b/c")])
    path = Path.join(context.dir, "plan.jsonl")
    Buckets.sync!("hf://buckets/acme/b", Path.join(context.dir, "to"), [plan: path] ++ ours)

    assert theirs(context, """
           from huggingface_hub._buckets import _load_plan
           plan = _load_plan(#{inspect(path)})
           print(plan.source, [(o.action, o.path, o.size, o.reason, o.remote_mtime) for o in plan.operations], plan.summary())
           """) ==
             "hf://buckets/acme/b [('download', 'a', 5, 'new file', '2026-02-06T17:37:57.123Z'), " <>
               "('download', 'b/c', 5, 'new file', '2026-02-06T17:37:57.123Z')] " <>
               "{'uploads': 0, 'downloads': 2, 'deletes': 0, 'skips': 0, 'total_size': 10}"
  end
end
