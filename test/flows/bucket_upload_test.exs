defmodule HfHub.Flows.BucketUploadTest do
  # Uploads to buckets of a separate Local Hub, with and without faults of its storage.
  use HfHub.Case, async: true, hub: :own

  import HfHub.XetStorage, only: [watch: 1, log: 0, storage: 2, objects: 1, sent: 1]

  alias HfHub.{Buckets, Error, LocalHub, Vm}
  alias HfHub.Buckets.{Operation, TreeEntry}

  setup do
    bucket = "reader/b#{System.unique_integer([:positive])}"
    Buckets.create!(bucket, write())
    {:ok, bucket: bucket}
  end

  setup :watch

  # The files of the bucket by their paths.
  defp stored(context) do
    dir = Path.join(context.dir, "local#{System.unique_integer([:positive])}")
    files = Buckets.list_tree!(context.bucket, write(recursive: true))
    Buckets.download!(context.bucket, Enum.filter(files, &(&1.type == :file)), write(local_dir: dir))

    for path <- Path.wildcard(dir <> "/**", match_dot: true), File.regular?(path), into: %{} do
      {Path.relative_to(path, dir), File.read!(path)}
    end
  end

  test "files, binaries and streams are uploaded, and returned as the bucket lists them", context do
    content = large(300_000)
    file = Path.join(folder(context, %{"a.csv" => content}), "a.csv")
    File.touch!(file, {{2026, 2, 6}, {17, 37, 57}})
    time = ~U[2020-01-01 00:00:00.123Z]

    assert {:ok, [%TreeEntry{} = csv, _deep, _stream, empty, dated]} =
             Buckets.upload(
               context.bucket,
               [
                 {{:path, file}, "data"},
                 {{:binary, ["he", "llo"]}, "deep/er/hello.txt"},
                 {{:stream, Stream.map(1..3, &"#{&1}\n")}, "lines"},
                 {{:binary, ""}, "empty"},
                 Operation.add("dated", {:binary, "x"}, mtime: time, content_type: "text/x-dated")
               ],
               write()
             )

    assert %{path: "data", size: 300_000, content_type: "text/csv", type: :file} = csv
    assert DateTime.compare(csv.mtime, ~U[2026-02-06 17:37:57Z]) == :eq
    assert %{size: 0} = empty
    assert %{mtime: ^time, content_type: "text/x-dated"} = dated

    assert stored(context) == %{
             "data" => content,
             "deep/er/hello.txt" => "hello",
             "lines" => "1\n2\n3\n",
             "empty" => "",
             "dated" => "x"
           }

    [listed] = Buckets.paths_info!(context.bucket, ["data"], write())
    assert Map.drop(listed, [:uploaded_at, :mtime]) == Map.drop(csv, [:uploaded_at, :mtime])
    assert DateTime.compare(listed.mtime, csv.mtime) == :eq
    assert {:ok, [again]} = Buckets.upload(context.bucket, [{{:xet, csv.xet_hash}, "again"}], write())
    assert again.xet_hash == csv.xet_hash and stored(context)["again"] == content
  end

  test "parts that the storage has are not sent, and progress shows it", context do
    content = large(1_500_000)
    Buckets.upload!(context.bucket, [{{:binary, content}, "a"}], write())
    before = sent(context)
    me = self()

    adds = [{{:binary, content}, "b"}, {{:stream, [large(50_000), content]}, "c"}]
    assert {:ok, [b, _c]} = Buckets.upload(context.bucket, adds, write(progress: &send(me, {:progress, &1})))
    assert [%{xet_hash: hash}] = Buckets.paths_info!(context.bucket, ["a"], write())
    assert b.xet_hash == hash
    sent = sent(context) - before
    assert sent < 500_000
    last = last_progress()
    assert {last.activity, last.bytes_done, last.bytes_total} == {:done, 3_050_000, 3_050_000}
    assert {last.files_done, last.files_total} == {2, 2}
    assert last.bytes_deduplicated > 2_500_000
    assert_in_delta last.bytes_received, sent, 50_000
  end

  test "a batch uploads, copies and deletes", context do
    [old, _gone] =
      Buckets.upload!(context.bucket, [{{:binary, "old"}, "old"}, {{:binary, "x"}, "gone"}], write())

    assert :ok =
             Buckets.batch(
               context.bucket,
               [
                 Operation.delete("gone"),
                 Operation.copy("copy", old.xet_hash, context.bucket),
                 Operation.add("new", {:stream, ["n", "ew"]})
               ],
               write()
             )

    assert stored(context) == %{"old" => "old", "copy" => "old", "new" => "new"}
  end

  test "more than a thousand files are in the bucket by the thousand", context do
    adds = for n <- 1..1001, do: {{:binary, "#{rem(n, 10)}"}, "#{n}"}
    me = self()
    assert {:ok, files} = Buckets.upload(context.bucket, adds, write(progress: &send(me, {:progress, &1})))
    even(reports())
    assert for(file <- files, do: file.path) == for({_content, path} <- adds, do: path)
    assert length(asked(context.bucket, "/batch")) == 2
    listed = Buckets.list_tree!(context.bucket, write())
    assert Map.new(listed, &{&1.path, &1.xet_hash}) == Map.new(files, &{&1.path, &1.xet_hash})
  end

  # Counters never fall, totals stay, and only the last report is one.
  defp even(reports) do
    {earlier, [last]} = Enum.split(reports, -1)
    refute Enum.any?(earlier, &(&1.activity in [:done, :failed]))
    assert Enum.uniq(for report <- reports, do: {report.files_total, report.bytes_total}) == [{1001, 1001}]
    assert {last.activity, last.files_done, last.bytes_done} == {:done, 1001, 1001}

    for counter <- [:files_done, :bytes_done, :bytes_hashed] do
      values = Enum.map(reports, &Map.fetch!(&1, counter))
      assert values == Enum.sort(values)
    end
  end

  defp reports do
    receive do
      {:progress, progress} -> [progress | reports()]
    after
      0 -> []
    end
  end

  test "a batch that the Hub rejects ends its progress", context do
    fault("/batch", %{kind: "status", code: 400})
    opts = write(progress: self())

    assert {:error, %Error{kind: :bad_request}} =
             Buckets.upload(context.bucket, [{{:binary, "x"}, "x"}], opts)

    assert_received {:hf_hub_progress, %{activity: :failed, bytes_done: 1}}
    refute_received {:hf_hub_progress, %{activity: :done}}
    raising = Stream.map([1], fn _one -> raise "mine" end)

    assert_raise RuntimeError, "mine", fn ->
      Buckets.upload(context.bucket, [{{:stream, raising}, "x"}], opts)
    end
  end

  test "a storage that fails for a moment gets the rest again", context do
    content = large(300_000)
    # Each session asks three times.
    fault("/shards", %{kind: "status", code: 503}, %{method: "POST", times: 4})
    assert {:ok, _files} = Buckets.upload(context.bucket, [{{:binary, content}, "a"}], write())
    assert stored(context) == %{"a" => content}
    assert [_object] = objects(context)
  end

  test "a token that the storage rejects is replaced once", context do
    fault("/v1/chunks/", %{kind: "status", code: 401}, %{times: 1})
    fault("/v1/xorb", %{kind: "status", code: 401}, %{times: 1})
    assert {:ok, _files} = Buckets.upload(context.bucket, [{{:binary, "hello"}, "a"}], write())
    assert stored(context) == %{"a" => "hello"}
  end

  test "a storage that stays down is an error, and nothing is in the bucket", context do
    fault("/shards", %{kind: "status", code: 503}, %{method: "POST"})

    assert {:error, %Error{} = error} =
             Buckets.upload(context.bucket, [{{:binary, large(300_000)}, "a"}], write(retries: 1))

    assert error.message =~ "Xet storage"
    assert error.repo_id == context.bucket and error.revision == nil
    assert stored(context) == %{}
    refute inspect(error) =~ "xet_"
  end

  test "the upload of a killed VM is resumed without the objects that the storage has", context do
    file = Path.join(folder(context, %{"a.bin" => large(1_000_000)}), "a.bin")
    opts = inspect(endpoint: endpoint(), token: token())
    call = ~s|HfHub.Buckets.upload("#{context.bucket}", [{{:path, "#{file}"}, "a.bin"}], #{opts})|
    fault("/shards", %{kind: "hang"}, %{method: "POST"})
    port = Vm.open(Vm.script(context, call), [:exit_status, :stderr_to_stdout])
    eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end, 1500)
    Vm.kill(port)
    control(:delete, "faults")
    assert [_object] = objects(context)
    assert stored(context) == %{}
    assert {:ok, _files} = Buckets.upload(context.bucket, [{{:path, file}, "a.bin"}], write())
    assert [_object] = objects(context)
    assert stored(context) == %{"a.bin" => File.read!(file)}
  end

  test "an upload stops when the process that started it dies, with its temporary files", context do
    fault("/v1/chunks/", %{kind: "hang"})
    spools = Path.join(System.tmp_dir!(), "hf_hub_upload_#{System.pid()}_*")
    adds = [{{:stream, [large(1_000_000)]}, "a"}]
    {:ok, pid} = Task.start(fn -> Buckets.upload(context.bucket, adds, write()) end)
    eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end)
    Process.exit(pid, :kill)
    eventually(fn -> match?([%{"aborted" => true} | _], storage(context, "/v1/chunks/")) end)
    assert asked(context.bucket, "/batch") == []
    eventually(fn -> Path.wildcard(spools) == [] end)
  end

  test "errors say what is missing", context do
    add = [{{:binary, "x"}, "x"}]

    assert {:error, %{kind: :repo_not_found} = error} = Buckets.upload("reader/none", add, write())
    assert error.message =~ ~s(bucket "reader/none" not found)
    assert error.message =~ "HfHub.Buckets.create/2"
    refute error.message =~ "repo_type"

    LocalHub.command!(hub(), ["user", "add", "reading", "--token", "hf_reading#{System.unique_integer()}"])
    token = "hf_r#{System.unique_integer([:positive])}"
    LocalHub.command!(hub(), ["user", "add", "reader", "--role", "read", "--token", token])
    assert {:error, %{kind: :forbidden} = error} = Buckets.upload(context.bucket, add, write(token: token))
    assert error.message =~ ~s(bucket "#{context.bucket}")
    refute error.message =~ "create_pr"
    assert {:error, %{kind: kind}} = Buckets.upload(context.bucket, add, write(token: false))
    assert kind in [:no_token, :unauthorized]

    assert {:error, %{kind: :bad_request} = error} = Buckets.upload(context.bucket, add, write(xet: false))
    assert error.message =~ "it is turned off; see the option :xet"

    for {path, why} <- [{"/nonexistent", "does not exist"}, {context.dir, "is not a file"}] do
      assert {:error, %{kind: :io} = error} = Buckets.upload(context.bucket, [{{:path, path}, "x"}], write())
      assert error.message =~ why
    end

    assert {:error, %{kind: :invalid_name}} = Buckets.upload("#{context.bucket}/x", add, write())
    assert objects(context) == []
  end

  test "arguments that are no files raise before a request", context do
    for bad <- [
          nil,
          "a",
          ["a"],
          [{"a", "b"}],
          [{{:path, 1}, "b"}],
          [{{:binary, "x"}, "../b"}],
          [{{:binary, "x"}, "b/"}],
          [{{:binary, "x"}, nil}],
          [{{:xet, "x"}, "b"}],
          [Operation.delete("a")]
        ] do
      assert_raise ArgumentError, fn -> Buckets.upload(context.bucket, bad, write()) end
    end

    refute inspect(Operation.add("a", {:binary, "private"})) =~ "private"
    assert Enum.drop(log(), context.before) == []
  end

  test "a file that changes after it was looked at is an error", context do
    [file] = for name <- ["a"], do: Path.join(folder(context, %{name => large(100_000)}), name)
    fault("xet-write-token", %{kind: "status", code: 503})
    adds = [{{:path, file}, "a"}]
    call = Task.async(fn -> Buckets.upload(context.bucket, adds, write(retries: 1000)) end)
    eventually(fn -> match?([%{"fired" => fired}] when fired > 0, control(:get, "faults")) end)
    File.write!(file, large(100_001))
    control(:delete, "faults")
    assert {:error, %{kind: :checksum_mismatch} = error} = Task.await(call)
    assert error.message =~ "changed while it was uploaded"
    assert stored(context) == %{}
  end

  describe "sync of a folder" do
    setup context do
      files = %{"same" => "same", "size" => "new size", "d/new" => large(200_000), "x.tmp" => "t"}
      local = folder(context, files)

      Buckets.upload!(
        context.bucket,
        [
          {{:path, Path.join(local, "same")}, "p/same"},
          {{:binary, "old"}, "p/size"},
          {{:binary, "gone"}, "p/e/gone"},
          {{:binary, "tmp"}, "p/y.tmp"},
          {{:binary, "other"}, "p.other"}
        ],
        write()
      )

      {:ok, local: local, files: files, address: "hf://buckets/#{context.bucket}/p"}
    end

    defp operations(plan), do: for(operation <- plan.operations, do: {operation.action, operation.path})

    @expected [upload: "d/new", delete: "e/gone", skip: "same", upload: "size"]

    test "uploads what differs and deletes what the folder does not have", context do
      opts = write(delete: true, exclude: "*.tmp")
      before = stored(context)
      assert {:ok, plan} = Buckets.sync(context.local, context.address, [dry_run: true] ++ opts)
      assert operations(plan) == @expected
      assert stored(context) == before

      assert {:ok, ^plan} = Buckets.sync(context.local, context.address, opts) |> same_time(plan)

      assert stored(context) == %{
               "p/same" => "same",
               "p/size" => "new size",
               "p/d/new" => context.files["d/new"],
               "p/y.tmp" => "tmp",
               "p.other" => "other"
             }

      assert {:ok, again} = Buckets.sync(context.local, context.address, opts)
      assert operations(again) == [skip: "d/new", skip: "same", skip: "size"]
    end

    defp same_time({:ok, plan}, other), do: {:ok, %{plan | timestamp: other.timestamp}}

    test "follows links to files, and neither those to folders nor those that lead nowhere", context do
      elsewhere = folder(context, %{"f" => "linked", "sub/g" => "g"})
      local = folder(context, %{"a" => "a"})

      for {name, target} <- [file: "f", folder: "sub", nothing: "none"],
          do: File.ln_s!(Path.join(elsewhere, target), Path.join(local, "#{name}"))

      address = "hf://buckets/#{context.bucket}/links"
      assert {:ok, plan} = Buckets.sync(local, address, write())
      assert operations(plan) == [upload: "a", upload: "file"]
      assert %{"links/a" => "a", "links/file" => "linked"} = stored(context)
    end

    test "carries a saved plan out later", context do
      saved = Path.join(context.dir, "plan.jsonl")
      before = stored(context)
      opts = write(delete: true, exclude: "*.tmp", plan: saved)
      assert {:ok, plan} = Buckets.sync(context.local, context.address, opts)
      assert stored(context) == before
      assert {:ok, applied} = Buckets.apply_plan(saved, write())
      assert operations(applied) == operations(plan)
      assert %{"p/size" => "new size", "p/d/new" => _new} = after_it = stored(context)
      refute Map.has_key?(after_it, "p/e/gone")

      # The reverse, by the plan itself.
      local = Path.join(context.dir, "out")
      assert {:ok, plan} = Buckets.sync(context.address, local, write(dry_run: true))
      assert {:ok, _plan} = Buckets.apply_plan(plan, write())
      assert {:ok, plan} = Buckets.sync(local, context.address, write(dry_run: true, ignore_times: true))
      assert Enum.all?(plan.operations, &(&1.action == :skip))
    end

    test "obeys what may be transferred", context do
      plan = fn opts -> Buckets.sync!(context.local, context.address, write([dry_run: true] ++ opts)) end
      skipped = for path <- ["d/new", "same", "size", "x.tmp"], do: {:skip, path}
      assert operations(plan.(existing: true)) == List.replace_at(skipped, 2, {:upload, "size"})

      assert operations(plan.(ignore_existing: true)) ==
               [upload: "d/new", skip: "same", skip: "size", upload: "x.tmp"]

      assert operations(plan.(ignore_times: true, include: "s*")) == [skip: "same", upload: "size"]
      assert operations(plan.(ignore_sizes: true, include: "s*")) == [skip: "same", skip: "size"]
      File.touch!(Path.join(context.local, "same"), System.os_time(:second) + 3600)
      assert operations(plan.(ignore_sizes: true, include: "s*")) == [upload: "same", skip: "size"]
    end

    test "of a killed VM continues with what is missing", context do
      opts = inspect(endpoint: endpoint(), token: token())
      call = ~s|HfHub.Buckets.sync("#{context.local}", "#{context.address}", #{opts})|
      fault("/shards", %{kind: "hang"}, %{method: "POST"})
      port = Vm.open(Vm.script(context, call), [:exit_status, :stderr_to_stdout])
      eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end, 1500)
      Vm.kill(port)
      control(:delete, "faults")
      objects = length(objects(context))
      assert {:ok, _plan} = Buckets.sync(context.local, context.address, write())
      assert length(objects(context)) == objects
      assert stored(context)["p/d/new"] == context.files["d/new"]
    end
  end

  test "plans that no client has written are refused", context do
    header = ~s({"type":"header","source":"#{context.dir}","dest":"hf://buckets/#{context.bucket}"})
    line = &~s({"type":"operation","action":"#{&1}","path":"#{&2}"})

    for {text, kind} <- [
          {"", :invalid_response},
          {"{", :invalid_response},
          {<<255, 10>>, :invalid_response},
          {"[]", :invalid_response},
          {line.("delete", "a"), :invalid_response},
          {header <> "\n" <> line.("burn", "a"), :invalid_response},
          {header <> "\n" <> line.("delete", "../a"), :invalid_name},
          {header <> "\n" <> ~s({"type":"operation","action":"delete"}), :invalid_response},
          {String.replace(header, context.dir, "/nonexistent"), :io},
          {String.replace(header, "hf://buckets/", ""), :invalid_name}
        ] do
      path = Path.join(context.dir, "plan")
      File.write!(path, text)
      assert {:error, %Error{kind: ^kind}} = Buckets.apply_plan(path, write()), text
    end

    assert {:error, %Error{kind: :io}} = Buckets.apply_plan("/nonexistent", write())
    assert_raise ArgumentError, fn -> Buckets.apply_plan(nil, write()) end
  end

  test "a copy takes files that are not in Xet over this machine", context do
    {id, _commit} = repo(context, %{"d/a.txt" => "small", "d/b.csv" => "1,2", ".gitattributes" => "x"})
    assert :ok = Buckets.copy("hf://#{id}/d/", "hf://buckets/#{context.bucket}/to/", write())
    assert stored(context) == %{"to/a.txt" => "small", "to/b.csv" => "1,2"}
    [csv] = Buckets.paths_info!(context.bucket, ["to/b.csv"], write())
    assert csv.content_type == "text/csv"
    other = context.bucket <> "x"
    Buckets.create!(other, write())
    assert :ok = Buckets.copy("hf://buckets/#{context.bucket}/to", "hf://buckets/#{other}/", write())
    assert stored(%{context | bucket: other}) == %{"to/a.txt" => "small", "to/b.csv" => "1,2"}
  end
end
