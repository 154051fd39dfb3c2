defmodule HfHub.BucketsDownloadTest do
  use HfHub.Case, async: true, hub: :own

  import ExUnit.CaptureLog

  alias HfHub.Buckets
  alias HfHub.Buckets.{SyncPlan, TreeEntry}

  @hash String.duplicate("0a", 32)

  setup context do
    bucket = "org/bucket-#{System.unique_integer([:positive])}-#{System.pid()}"
    {:ok, bucket: bucket, local: Path.join(context.dir, "local")}
  end

  defp json(value) when is_map(value),
    do:
      "{" <>
        Enum.map_join(value, ",", fn {key, value} -> inspect(to_string(key)) <> ":" <> json(value) end) <> "}"

  defp json(list) when is_list(list), do: "[" <> Enum.map_join(list, ",", &json/1) <> "]"
  defp json(text) when is_binary(text), do: inspect(text)
  defp json(nil), do: "null"
  defp json(other), do: to_string(other)

  defp plant(path, body, more \\ %{}) do
    headers = Map.merge(%{"content-type" => "application/json"}, more[:headers] || %{})
    status = %{kind: "status", code: more[:code] || 200, headers: headers, body: body}
    fault("{#{path}}", status, Map.take(more, [:times, :skip, :origin]))
  end

  defp entry(path, content, more \\ %{}) do
    Map.merge(
      %{
        type: "file",
        path: path,
        size: byte_size(content),
        xetHash: @hash,
        mtime: "2026-02-06T17:37:57.000Z"
      },
      more
    )
  end

  # The file of a bucket, whose headers have its Xet hash and no commit.
  defp plant_file(context, path, content, headers \\ %{}) do
    headers =
      Map.merge(%{"content-type" => "text/plain", "x-xet-hash" => @hash, "etag" => ~s("#{@hash}")}, headers)

    plant("/buckets/#{context.bucket}/resolve/#{path}", content, %{headers: headers})
  end

  defp plant_paths(context, entries), do: plant("/api/buckets/#{context.bucket}/paths-info", json(entries))
  defp plant_tree(context, entries), do: plant("/api/buckets/#{context.bucket}/tree", json(entries))

  defp files(folder) do
    for path <- Path.wildcard(folder <> "/**", match_dot: true), File.regular?(path), into: %{} do
      {Path.relative_to(path, folder), File.read!(path)}
    end
  end

  defp downloads(context),
    do: for(request <- requests(context.bucket), request["path"] =~ "/resolve/", do: request["path"])

  test "files are downloaded to a folder or to a path, and nothing else is left there", context do
    plant_paths(context, [entry("a/one.txt", "one"), entry("two.txt", "two!")])
    plant_file(context, "a/one.txt", "one")
    plant_file(context, "two.txt", "two!")
    other = Path.join(context.local, "x/deux.txt")

    assert {:ok, [one, ^other]} =
             Buckets.download(
               context.bucket,
               ["a/one.txt", {"two.txt", other}],
               write(local_dir: context.local)
             )

    assert one == Path.join(context.local, "a/one.txt")
    assert files(context.local) == %{"a/one.txt" => "one", "x/deux.txt" => "two!"}
  end

  test "an entry needs no lookup, and an empty file no request", context do
    plant_file(context, "one.txt", "one")
    one = TreeEntry.from_response(%{"type" => "file", "path" => "one.txt", "size" => 3, "xetHash" => @hash})
    empty = %{one | path: "e/empty", size: 0}
    File.mkdir_p!(Path.join(context.local, "e"))
    File.write!(Path.join(context.local, "e/empty"), "old")
    File.write!(Path.join(context.local, "one.txt"), "old one")

    assert {:ok, [_one, _empty]} =
             Buckets.download(context.bucket, [one, empty], write(local_dir: context.local))

    assert files(context.local) == %{"one.txt" => "one", "e/empty" => ""}
    assert length(requests(context.bucket)) == 1
  end

  # More files than one job of the engine has.
  test "all files have one progress, whose totals are known from the beginning", context do
    contents = %{"d/one.txt" => "one", "two.txt" => "two!"}
    for {path, content} <- contents, do: plant_file(context, path, content)

    entries =
      for {path, size} <- [{"d/one.txt", 3}] ++ for(n <- 1..1_200, do: {"e/#{n}", 0}) ++ [{"two.txt", 4}],
          do: %TreeEntry{type: :file, path: path, size: size, xet_hash: @hash}

    test = self()
    opts = write(local_dir: context.local, progress: &send(test, {:progress, self(), &1}))
    assert {:ok, paths} = Buckets.download(context.bucket, entries, opts)
    assert paths == for(entry <- entries, do: Path.join(context.local, entry.path))
    assert Map.filter(files(context.local), fn {_path, content} -> content != "" end) == contents
    reports = received([])
    assert Enum.all?(reports, &match?(%{files_total: 1_202, bytes_total: 7}, &1))
    assert [%{activity: :done, files_done: 1_202, bytes_done: 7, bytes_received: 7}] = Enum.take(reports, -1)
    assert Enum.count(reports, &(&1.activity == :done)) == 1
    assert Enum.map(reports, & &1.files_done) == Enum.sort(Enum.map(reports, & &1.files_done))
  end

  test "a download of several files that fails has one last report", context do
    plant_file(context, "one.txt", "one")
    plant("/buckets/#{context.bucket}/resolve/two.txt", "", %{code: 404})

    entries =
      for path <- ["one.txt", "two.txt"],
          do: %TreeEntry{type: :file, path: path, size: 3, xet_hash: @hash}

    test = self()
    opts = write(local_dir: context.local, retries: 0, progress: &send(test, {:progress, self(), &1}))
    assert {:error, %{path: "two.txt"}} = Buckets.download(context.bucket, entries, opts)
    assert Enum.map(Enum.filter(received([]), &(&1.activity in [:done, :failed])), & &1.activity) == [:failed]
  end

  # In the process of the caller.
  defp received(reports) do
    caller = self()

    receive do
      {:progress, ^caller, progress} -> received([progress | reports])
    after
      0 -> Enum.reverse(reports)
    end
  end

  test "content at another host is followed, whatever its etag", context do
    # Another origin, which leads to the same server.
    cdn = String.replace(context.endpoint, "127.0.0.1", "localhost")
    plant_paths(context, [entry("one.txt", "one")])

    headers = %{
      "x-xet-hash" => @hash,
      "x-linked-size" => "3",
      "location" => cdn <> "/content-#{context.bucket}"
    }

    plant("/buckets/#{context.bucket}/resolve/one.txt", "", %{code: 302, headers: headers})
    plant("/content-#{context.bucket}", "one", %{headers: %{"content-type" => "text/plain"}})
    assert {:ok, _paths} = Buckets.download(context.bucket, ["one.txt"], write(local_dir: context.local))
    assert files(context.local) == %{"one.txt" => "one"}
    assert [%{"authorization" => false}] = requests("/content-#{context.bucket}")
  end

  test "content is verified where the Hub announces a checksum", context do
    plant_paths(context, [entry("one.txt", "one")])
    plant_file(context, "one.txt", "one", %{"x-linked-etag" => ~s("#{sha256("two")}")})

    assert {:error, %{kind: :checksum_mismatch, path: "one.txt"}} =
             Buckets.download(context.bucket, ["one.txt"], write(local_dir: context.local, retries: 0))

    assert files(context.local) == %{}
    plant_file(context, "one.txt", "one", %{"x-linked-etag" => ~s("#{sha256("one")}")})
    assert {:ok, _paths} = Buckets.download(context.bucket, ["one.txt"], write(local_dir: context.local))
  end

  test "an interrupted download resumes where it stopped, and leaves nothing else", context do
    bucket = "reader/b#{System.unique_integer([:positive])}"
    Buckets.create!(bucket, write())
    content = large(2_000_000)
    [file] = Buckets.upload!(bucket, [{{:binary, content}, "d/model.bin"}], write())
    fault("/lfs/", %{kind: "drop", after: 1_000_000}, %{times: 1})
    opts = write(local_dir: context.local, xet: false, retries: 0)
    assert {:error, %{path: "d/model.bin"}} = Buckets.download(bucket, [file], opts)
    assert [".hf_hub." <> _partial] = context.local |> Path.join("d") |> File.ls!()
    test = self()
    opts = Keyword.put(opts, :progress, &send(test, {:progress, self(), &1}))
    assert {:ok, _paths} = Buckets.download(bucket, [file], opts)
    assert %{bytes_resumed: resumed, bytes_received: received} = List.last(received([]))
    assert resumed > 500_000 and resumed + received == 2_000_000
    assert files(context.local) == %{"d/model.bin" => content}
  end

  test "a size or hash that no file can have is an error of the response", context do
    for wrong <- [%{size: -1}, %{size: 2 ** 63}, %{size: "3"}, %{size: 1.5}, %{size: nil}, %{xetHash: 1}] do
      plant_paths(context, [entry("one.txt", "one", wrong)])

      assert {:error, %{kind: :invalid_response, path: "one.txt"}} =
               Buckets.download(context.bucket, ["one.txt"], write(local_dir: context.local)),
             inspect(wrong)
    end

    assert downloads(context) == []
  end

  test "a file that has changed since it was listed is an error", context do
    plant_paths(context, [entry("one.txt", "one")])
    plant_file(context, "one.txt", "new", %{"x-xet-hash" => String.duplicate("0b", 32)})

    assert {:error, %{kind: :invalid_response}} =
             Buckets.download(context.bucket, ["one.txt"], write(local_dir: context.local, retries: 0))

    assert files(context.local) == %{}
  end

  test "a missing file is skipped with a warning, or an error", context do
    plant_paths(context, [])
    opts = write(local_dir: context.local)
    log = capture_log(fn -> assert {:ok, []} = Buckets.download(context.bucket, ["gone"], opts) end)
    assert log =~ ~s("gone")

    assert {:error, %{kind: :entry_not_found, path: "gone"}} =
             Buckets.download(context.bucket, ["gone"], [raise_on_missing_files: true] ++ opts)
  end

  test "files are refused that are no files or have no path on this machine" do
    for bad <- ["x", [nil], [{"a", nil}], [""], ["a"], [%TreeEntry{type: :folder, path: "x"}]] do
      assert_raise ArgumentError, fn -> Buckets.download("a/b", bad, write()) end
    end
  end

  test "names that lead out of the folder are refused before a byte is written", context do
    for bad <- ["../x", "a/../../x", "/etc/x", ".git/config", "a/./b"] do
      plant_tree(context, [entry("ok.txt", "one"), entry(bad, "one")])

      assert {:error, %{kind: :invalid_name}} =
               Buckets.sync("hf://buckets/#{context.bucket}", context.local, write()),
             bad
    end

    assert downloads(context) == []
  end

  test "sync downloads what differs and deletes what the bucket does not have", context do
    write_files(context.local, %{
      "same" => "same",
      "size" => "a",
      "old" => "old!",
      "extra/deep/x" => "x",
      "kept.tmp" => "t",
      ".cache/huggingface/download/x.metadata" => "m"
    })

    File.touch!(Path.join(context.local, "old"), {{2026, 2, 6}, {17, 37, 50}})

    plant_tree(context, [
      entry("same", "same"),
      entry("size", "bbb"),
      entry("old", "new!"),
      entry("d/new", "n"),
      entry("skipped.tmp", "t"),
      %{type: "directory", path: "d"}
    ])

    for {path, content} <- %{"size" => "bbb", "old" => "new!", "d/new" => "n"},
        do: plant_file(context, path, content)

    opts = write(delete: true, exclude: "*.tmp")
    source = "hf://buckets/#{context.bucket}"
    before = files(context.local)
    assert {:ok, plan} = Buckets.sync(source, context.local, [dry_run: true] ++ opts)
    assert files(context.local) == before and downloads(context) == []

    assert for(operation <- plan.operations, do: {operation.action, operation.path, operation.reason}) == [
             {:download, "d/new", "new file"},
             {:delete, "extra/deep/x", "not in source"},
             {:download, "old", "remote newer"},
             {:skip, "same", "identical"},
             {:download, "size", "size differs"}
           ]

    assert SyncPlan.summary(plan) == %{uploads: 0, downloads: 3, deletes: 1, skips: 1, total_size: 8}
    assert to_string(plan) =~ "3 downloads, 1 delete, 1 skip, 8 bytes\n  download d/new (new file)\n"

    file = Path.join(context.dir, "plan.jsonl")
    assert {:ok, _plan} = Buckets.sync(source, context.local, [plan: file] ++ opts)
    assert File.read!(file) |> String.split("\n", trim: true) |> length() == 6
    assert files(context.local) == before

    assert {:ok, _plan} = Buckets.sync(source, context.local, opts)

    assert files(context.local) == %{
             "same" => "same",
             "size" => "bbb",
             "old" => "new!",
             "d/new" => "n",
             "kept.tmp" => "t",
             ".cache/huggingface/download/x.metadata" => "m"
           }

    refute File.exists?(Path.join(context.local, "extra"))
    assert {:ok, plan} = Buckets.sync(source, context.local, opts)
    assert %{downloads: 0, deletes: 0, skips: 4} = SyncPlan.summary(plan)
  end

  test "sync of a folder that has nothing new deletes in the bucket", context do
    write_files(context.local, %{"same" => "same"})
    plant_tree(context, [entry("same", "same", %{mtime: "2036-02-06T17:37:57.000Z"}), entry("gone", "x")])
    plant("/api/buckets/#{context.bucket}/batch", ~s({"success":true}))
    assert {:ok, plan} = Buckets.sync(context.local, "hf://buckets/#{context.bucket}", write(delete: true))
    assert %{deletes: 1, skips: 1} = SyncPlan.summary(plan)
    assert length(asked(context.bucket, "batch")) == 1
  end

  test "places and options that contradict each other are refused before a request", context do
    folder = folder(context, %{"a" => "a"})
    address = "hf://buckets/#{context.bucket}"

    for {from, to} <- [
          {folder, context.bucket},
          {address, address},
          {"hf://datasets/a/b", folder},
          {"/nonexistent-folder", address},
          {address, Path.join(folder, "a")},
          {address, nil}
        ] do
      assert {:error, %HfHub.Error{}} = Buckets.sync(from, to, write()), inspect({from, to})
    end

    for both <- [
          [ignore_times: true, ignore_sizes: true],
          [existing: true, ignore_existing: true],
          [dry_run: true, plan: "p"]
        ],
        do: assert_raise(ArgumentError, fn -> Buckets.sync(address, folder, write(both)) end)

    assert {:error, %{kind: :io}} = Buckets.sync(address, folder, write(filter_from: "/nonexistent-file"))
    assert requests(context.bucket) == []
  end
end
