defmodule HfHub.Flows.BucketUploadTest do
  # Uploads to buckets of a separate Local Hub, with and without faults of its storage.
  use HfHub.Case, async: true, hub: :own

  alias HfHub.{Buckets, Error, LocalHub, Vm}
  alias HfHub.Buckets.{Operation, TreeEntry}

  setup do
    control(:delete, "faults")
    hub = endpoint()
    on_exit(fn -> control(:delete, "faults", nil, hub) end)
    bucket = "reader/b#{System.unique_integer([:positive])}"
    Buckets.create!(bucket, write())
    {:ok, bucket: bucket, before: length(log())}
  end

  defp xet(more \\ []), do: write([xet: :auto] ++ more)

  defp log, do: control(:get, "requests")

  # The requests to the storage since the test began.
  defp storage(context, what) do
    for request <- Enum.drop(log(), context.before),
        request["origin"] == "cdn",
        request["path"] =~ what,
        do: request
  end

  # Objects that the storage has received, and their bytes.
  defp objects(context), do: storage(context, "/xet/grants/")
  defp sent(context), do: context |> objects() |> Enum.map(& &1["bytes_received"]) |> Enum.sum()

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
               xet()
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
    assert {:ok, [again]} = Buckets.upload(context.bucket, [{{:xet, csv.xet_hash}, "again"}], xet())
    assert again.xet_hash == csv.xet_hash and stored(context)["again"] == content
  end

  test "parts that the storage has are not sent, and progress shows it", context do
    content = large(1_500_000)
    Buckets.upload!(context.bucket, [{{:binary, content}, "a"}], xet())
    before = sent(context)
    me = self()

    adds = [{{:binary, content}, "b"}, {{:stream, [large(50_000), content]}, "c"}]
    assert {:ok, [b, _c]} = Buckets.upload(context.bucket, adds, xet(progress: &send(me, {:progress, &1})))
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

  defp last_progress(last \\ nil) do
    receive do
      {:progress, progress} -> last_progress(progress)
    after
      0 -> last
    end
  end

  test "a batch uploads, copies and deletes", context do
    [old, _gone] =
      Buckets.upload!(context.bucket, [{{:binary, "old"}, "old"}, {{:binary, "x"}, "gone"}], xet())

    assert :ok =
             Buckets.batch(
               context.bucket,
               [
                 Operation.delete("gone"),
                 Operation.copy("copy", old.xet_hash, context.bucket),
                 Operation.add("new", {:stream, ["n", "ew"]})
               ],
               xet()
             )

    assert stored(context) == %{"old" => "old", "copy" => "old", "new" => "new"}
  end

  test "a storage that fails for a moment gets the rest again", context do
    content = large(300_000)
    fault("/shards", %{kind: "status", code: 400}, %{method: "POST", times: 1})
    assert {:ok, _files} = Buckets.upload(context.bucket, [{{:binary, content}, "a"}], xet())
    assert stored(context) == %{"a" => content}
    assert [_object] = objects(context)
  end

  test "a token that the storage rejects is replaced once", context do
    fault("/v1/chunks/", %{kind: "status", code: 401}, %{times: 1})
    fault("/v1/xorb", %{kind: "status", code: 401}, %{times: 1})
    assert {:ok, _files} = Buckets.upload(context.bucket, [{{:binary, "hello"}, "a"}], xet())
    assert stored(context) == %{"a" => "hello"}
  end

  test "a storage that stays down is an error that says so, and nothing is in the bucket", context do
    fault("/shards", %{kind: "status", code: 400}, %{method: "POST"})

    assert {:error, %Error{} = error} =
             Buckets.upload(context.bucket, [{{:binary, large(300_000)}, "a"}], xet(retries: 1))

    assert error.message =~ "Xet storage"
    assert error.repo_id == context.bucket and error.revision == nil
    assert stored(context) == %{}
    refute inspect(error) =~ "xet_"
  end

  test "the upload of a killed VM is resumed without the objects that the storage has", context do
    file = Path.join(folder(context, %{"a.bin" => large(1_000_000)}), "a.bin")
    opts = inspect(endpoint: endpoint(), token: token(), xet: :auto)
    call = ~s|HfHub.Buckets.upload("#{context.bucket}", [{{:path, "#{file}"}, "a.bin"}], #{opts})|
    fault("/shards", %{kind: "hang"}, %{method: "POST"})
    port = Vm.open(Vm.script(context, call), [:exit_status, :stderr_to_stdout])
    eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end, 1500)
    Vm.kill(port)
    control(:delete, "faults")
    assert [_object] = objects(context)
    assert stored(context) == %{}
    assert {:ok, _files} = Buckets.upload(context.bucket, [{{:path, file}, "a.bin"}], xet())
    assert [_object] = objects(context)
    assert stored(context) == %{"a.bin" => File.read!(file)}
  end

  test "an upload stops when the process that started it dies, with its temporary files", context do
    fault("/v1/chunks/", %{kind: "hang"})
    adds = [{{:stream, [large(1_000_000)]}, "a"}]
    {:ok, pid} = Task.start(fn -> Buckets.upload(context.bucket, adds, xet()) end)
    eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end)
    Process.exit(pid, :kill)
    eventually(fn -> match?([%{"aborted" => true} | _], storage(context, "/v1/chunks/")) end)
    assert asked(context.bucket, "/batch") == []
  end

  test "errors say what is missing", context do
    add = [{{:binary, "x"}, "x"}]

    assert {:error, %{kind: :repo_not_found} = error} = Buckets.upload("reader/none", add, xet())
    assert error.message =~ ~s(bucket "reader/none" not found)
    assert error.message =~ "HfHub.Buckets.create/2"
    refute error.message =~ "repo_type"

    LocalHub.command!(hub(), ["user", "add", "reading", "--token", "hf_reading#{System.unique_integer()}"])
    token = "hf_r#{System.unique_integer([:positive])}"
    LocalHub.command!(hub(), ["user", "add", "reader", "--role", "read", "--token", token])
    assert {:error, %{kind: :forbidden} = error} = Buckets.upload(context.bucket, add, xet(token: token))
    assert error.message =~ ~s(bucket "#{context.bucket}")
    refute error.message =~ "create_pr"
    assert {:error, %{kind: kind}} = Buckets.upload(context.bucket, add, xet(token: false))
    assert kind in [:no_token, :unauthorized]

    assert {:error, %{kind: :bad_request} = error} = Buckets.upload(context.bucket, add, write(xet: false))
    assert error.message =~ "HF_HUB_DISABLE_XET"

    for {path, why} <- [{"/nonexistent", "does not exist"}, {context.dir, "is not a file"}] do
      assert {:error, %{kind: :io} = error} = Buckets.upload(context.bucket, [{{:path, path}, "x"}], xet())
      assert error.message =~ why
    end

    assert {:error, %{kind: :invalid_name}} = Buckets.upload("#{context.bucket}/x", add, xet())
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
      assert_raise ArgumentError, fn -> Buckets.upload(context.bucket, bad, xet()) end
    end

    refute inspect(Operation.add("a", {:binary, "private"})) =~ "private"
    assert Enum.drop(log(), context.before) == []
  end

  test "a file that changes while it is uploaded is an error", context do
    file = Path.join(folder(context, %{"a" => large(100_000)}), "a")
    fault("/v1/chunks/", %{kind: "delay", ms: 500})
    other = Path.join(Path.dirname(file), "b")
    File.write!(other, large(100_000))
    me = self()

    progress = fn progress ->
      if progress.bytes_hashed > 0 and Process.get(:changed) == nil do
        Process.put(:changed, File.write!(other, "changed"))
        send(me, :changed)
      end
    end

    adds = [{{:path, file}, "a"}, {{:path, other}, "b"}]
    result = Buckets.upload(context.bucket, adds, xet(max_workers: 1, progress: progress))
    if match?({:error, _}, result), do: assert({:error, %{kind: :checksum_mismatch}} = result)
  end
end
