defmodule HfHub.Flows.XetFaultsTest do
  # What transfers by Xet do when its storage, the network, the clock or the disk fails.
  use HfHub.Case, async: true, hub: :own

  import HfHub.XetStorage

  alias HfHub.{Cache, Commit, Download, Error, LocalHub, Vm}

  @moduletag timeout: 1_800_000

  @kills if System.get_env("HF_HUB_TEST_LONG"), do: 50, else: 3

  # All requests to the storage, but none to the store of large files.
  @storage "/{v1,v2,xet}/*"

  setup :watch

  defp upload(id, content, more), do: Commit.upload_file({:binary, content}, "a.bin", id, xet(more))

  # Runs a call that takes another way, and returns why it does.
  defp falls_back(call) do
    began = System.monotonic_time(:second)
    assert {{:ok, _result} = result, why} = with_fallback(call)
    assert why, "no other way was taken"
    assert System.monotonic_time(:second) - began < 15
    {result, why}
  end

  describe "a storage that is down" do
    test "refuses uploads or is silent, so they go to the store of large files", context do
      for kind <- ["hang", "hang_up"] do
        id = writable(context)
        content = large(300_000)
        fault(@storage, %{kind: kind})
        {_result, why} = falls_back(fn -> upload(id, content, upload_timeout: 200) end)
        assert why =~ ~r/the storage has accepted nothing for \d s|cannot upload to Xet storage/
        assert [_batch] = asked(id, "/objects/batch")
        control(:delete, "faults")
        assert downloaded(context, id, []) == content
      end
    end

    test "stops in the middle of an upload, which then goes to the store of large files", context do
      for {path, kind} <- [{"/xet/grants/", "hang"}, {"/shards", "hang"}] do
        id = writable(context)
        content = large(300_000)
        fault(path, %{kind: kind}, %{method: if(path =~ "grants", do: "PUT", else: "POST")})
        {_result, why} = falls_back(fn -> upload(id, content, upload_timeout: 200) end)
        assert why =~ ~r/the storage has accepted nothing for \d s|cannot upload to Xet storage/
        control(:delete, "faults")
        assert downloaded(context, id, []) == content
      end
    end

    test "is silent, or stops in the middle of a download: HTTP continues", context do
      content = large(400_000)
      id = stored(context, content)

      for {path, fault} <- [
            {"/reconstructions/", %{kind: "hang"}},
            {"/xet/xorbs/", %{kind: "hang"}},
            {"/xet/xorbs/", %{kind: "stall", after: 100_000}},
            {"/xet/xorbs/", %{kind: "drop", after: 100_000}},
            {"/xet/xorbs/", %{kind: "status", code: 500}}
          ] do
        fault(path, fault)
        call = fn -> download(context, id, xet: true, download_timeout: 300) end
        {{:ok, path}, why} = falls_back(call)
        assert File.read!(path) == content
        assert why =~ "cannot download from Xet storage: "
        control(:delete, "faults")
      end
    end

    test "fails once: the request is repeated", context do
      content = large(400_000)
      id = stored(context, content)

      for {path, fault} <- [
            {"/reconstructions/", %{kind: "status", code: 503}},
            {"/xet/xorbs/", %{kind: "stall", after: 100_000}},
            {"/xet/xorbs/", %{kind: "drop", after: 100_000}}
          ] do
        fault(path, fault, %{times: 1})
        {{:ok, path}, nil} = with_fallback(fn -> download(context, id, xet: true, download_timeout: 300) end)
        assert File.read!(path) == content
      end
    end
  end

  describe "a storage with a hostile plan" do
    test "is refused, and HTTP takes over", context do
      content = large(2_000_000)
      id = stored(context, content)

      for {pattern, with} <- [
            # Sizes that no object has, gaps, overlaps, chunks and bytes beyond the object, and no end.
            {~s("unpacked_length":\\d+), ~s("unpacked_length":4294967295)},
            {~s("unpacked_length":\\d+), ~s("unpacked_length":1)},
            {~s("offset_into_first_range":\\d+), ~s("offset_into_first_range":18446744073709551615)},
            {~s("offset_into_first_range":\\d+), ~s("offset_into_first_range":7)},
            {~s("end":\\d+), ~s("end":4294967295)},
            {~s("start":0), ~s("start":1)},
            {~s("terms":\\[), ~s("terms":[) <> String.duplicate(" ", 1000) <> "{"},
            {~s("url":"[^"]*"), ~s("url":"file:///etc/passwd")}
          ] do
        fault("/reconstructions/", %{kind: "replace_body", pattern: pattern, with: with})
        {{:ok, path}, why} = falls_back(fn -> download(context, id, xet: true) end)
        assert File.read!(path) == content
        assert why =~ ~r/invalid (plan|object)|content host|the connection to/
        control(:delete, "faults")
      end
    end

    test "leads to another host, which gets no token", context do
      id = stored(context, large(400_000))
      # Also a Local Hub, whose log shows the headers.
      {:ok, other} = LocalHub.start_link(root: Path.join(context.dir, "other"), test_control: true)
      host = LocalHub.endpoint(other)

      fault("/reconstructions/", %{
        kind: "replace_body",
        pattern: ~s("url":"[^"]*"),
        with: ~s("url":"#{host}/x")
      })

      opts = [xet: true, token: token()]
      {_result, why} = falls_back(fn -> download(context, id, opts) end)
      assert why =~ "cannot download from Xet storage"
      requests = control(:get, "requests", nil, host)
      assert [%{"path" => "/x"} | _] = requests
      refute Enum.any?(requests, & &1["authorization"])
    end
  end

  test "a storage that has lost objects gets them again by the same upload", context do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "losing"), test_control: true)
    LocalHub.command!(hub, ["user", "add", "me", "--token", token()])
    Process.put(HfHub.Case, hub)
    context = %{context | before: 0}
    opts = [endpoint: endpoint(), token: token(), retries: 0]
    add = &Commit.upload_file({:binary, &1}, "a.bin", "me/a", [xet: :auto] ++ opts)
    put = &HfHub.Buckets.upload("me/b", [{{:binary, &1}, "a.bin"}], opts)

    for {upload, create, delete} <- [
          {add, &HfHub.Repo.create("me/a", &1), &HfHub.Repo.delete("me/a", &1)},
          {put, &HfHub.Buckets.create("me/b", &1), &HfHub.Buckets.delete("me/b", &1)}
        ] do
      content = large(300_000)
      create.(opts)
      assert {:ok, _added} = upload.(content)
      delete.(opts)
      create.(opts)
      assert LocalHub.command!(hub, ["xet", "collect", "--unused-days", "0"]) =~ ~s("xorbs":1)
      before = length(objects(context))
      assert {{:ok, _added}, nil} = with_fallback(fn -> upload.(content) end)
      assert length(objects(context)) == before + 1
    end
  end

  describe "a token" do
    # A Local Hub whose tokens and links expire after a second.
    setup context do
      {:ok, hub} =
        LocalHub.start_link(
          root: Path.join(context.dir, "short"),
          test_control: true,
          args: ["--link-ttl", "1"]
        )

      LocalHub.command!(hub, ["user", "add", "me", "--token", token()])
      Process.put(HfHub.Case, hub)
      opts = [endpoint: endpoint(), token: token(), retry_delay: 10]
      {:ok, _repo} = HfHub.Repo.create("me/short", [private: true] ++ opts)
      {:ok, opts: opts}
    end

    # Like tokens of the Hub where the clock of this machine is wrong by years.
    for {clock, expires} <- [{"ahead", 1_000_000_000}, {"behind", 9_999_999_999}] do
      test "that expires in the middle is renewed if the clock is #{clock}", %{opts: opts} = context do
        content = large(400_000)
        wrong = ~s("exp":#{unquote(expires)})
        fault("-token/", %{kind: "replace_body", pattern: ~s("exp":\\d+), with: wrong})

        # The token of the first request is expired when the others come.
        fault("/v1/xorb-commits/", %{kind: "delay", ms: 1_600}, %{times: 1})

        upload = fn -> Commit.upload_file({:binary, content}, "a.bin", "me/short", [xet: :auto] ++ opts) end
        assert {{:ok, _info}, nil} = with_fallback(upload)
        assert asked("me/short", "/objects/batch") == []

        fault("/xet/xorbs/", %{kind: "delay", ms: 1_600}, %{times: 1})

        assert {{:ok, path}, nil} =
                 with_fallback(fn -> download(context, "me/short", [xet: true] ++ opts) end)

        assert File.read!(path) == content
        # The one that was kept has expired by now.
        assert {{:ok, _path}, nil} =
                 with_fallback(fn -> download(context, "me/short", [xet: true] ++ opts) end)

        assert length(asked("me/short", "xet-read-token")) > 1
      end
    end
  end

  describe "a disk" do
    test "without a place for the staging folder sends uploads to the store of large files", context do
      id = writable(context)
      dir = folder(context, %{"a.bin" => large(300_000)})
      no_folder = Path.join(context.dir, "file")
      File.write!(no_folder, "")
      assert {output, 0} = Vm.run(uploading(context, id, dir), [{"HF_XET_CACHE", no_folder}])
      assert output =~ "{:ok"
      assert downloaded(context, id, []) == File.read!(Path.join(dir, "a.bin"))
    end

    @tag :root
    test "that is full for the staging folder sends uploads to the store of large files", context do
      id = writable(context)
      dir = folder(context, %{"a.bin" => large(3_000_000)})
      full = Path.join(context.dir, "full")
      File.mkdir_p!(full)
      mounted(["-t", "tmpfs", "-o", "size=4k", "tmpfs", full])
      assert {output, 0} = Vm.run(uploading(context, id, dir), [{"HF_XET_CACHE", full}])
      assert output =~ "{:ok"
      assert downloaded(context, id, []) == File.read!(Path.join(dir, "a.bin"))
    end

    @tag :root
    test "that is full for the cache or the folder is an error, and HTTP is not tried", context do
      id = stored(context, large(6_000_000))
      small = Path.join(context.dir, "small")
      File.mkdir_p!(small)
      mounted(["-t", "tmpfs", "-o", "size=4m", "tmpfs", small])

      for place <- [[cache_dir: Path.join(small, "cache")], [local_dir: Path.join(small, "folder")]] do
        assert {:error, %Error{kind: :io} = error} = download(context, id, [xet: true] ++ place)
        assert Exception.message(error) =~ "disk"
        assert Path.wildcard(small <> "/**/a.bin") == []
      end

      assert storage(context, "/lfs/") == []
    end
  end

  # In objects of 1 MB.
  defp uploading(context, id, dir) do
    opts = inspect(endpoint: endpoint(), token: token(), xet: :auto, retry_delay: 10)

    Vm.script(context, """
    Application.put_env(:hf_hub, :xet_buffer, 8_000_000)
    IO.inspect(HfHub.Commit.upload_folder("#{dir}", "#{id}", #{opts}))
    """)
  end

  describe "VMs killed at random moments" do
    test "of uploads leave a storage that the next one completes, without the objects that it has", context do
      dir = folder(context, %{"a.bin" => large(1)})
      xet_cache = [{"HF_XET_CACHE", Path.join(context.dir, "xet")}]

      for _round <- 1..@kills do
        content = large(6_000_000)
        File.write!(Path.join(dir, "a.bin"), content)
        id = writable(context)
        fault("/xet/grants/", %{kind: "throttle_request", bytes_per_second: 4_000_000})
        command = uploading(context, id, dir)
        before = length(objects(context))
        started? = fn -> length(objects(context)) > before end
        killed(context, Vm.open(command, [:exit_status], xet_cache), started?)
        control(:delete, "faults")
        assert {output, 0} = Vm.run(command, xet_cache)
        assert output =~ "{:ok"
        assert asked(id, "/objects/batch") == []
        assert downloaded(context, id, xet: true) == content
      end

      whole = for %{"status" => 200} = request <- objects(context), do: request["path"]
      assert Enum.uniq(whole) == whole, "an object was sent twice"
    end

    test "of downloads leave a valid cache, which the next one completes", context do
      content = large(20_000_000)
      id = stored(context, content)
      cache = Path.join(context.dir, "cache")
      opts = [repo_id: id, endpoint: endpoint(), cache_dir: cache, xet: true, retry_delay: 10]
      command = Vm.script(context, "IO.inspect(HfHub.Download.snapshot_download(#{inspect(opts)}))")

      for _round <- 1..@kills do
        fault("/xet/xorbs/", %{kind: "throttle", bytes_per_second: 10_000_000})
        before = length(storage(context, "/xet/xorbs/"))
        started? = fn -> length(storage(context, "/xet/xorbs/")) > before end
        killed(context, Vm.open(command, [:exit_status]), started?)
        control(:delete, "faults")
        valid(cache, content)
        assert {:ok, folder} = Download.snapshot_download(opts)
        assert File.read!(Path.join(folder, "a.bin")) == content
        valid(cache, content)
        assert Path.wildcard(cache <> "/**/*.incomplete") == []
        File.rm_rf!(cache)
      end
    end
  end

  # Kills a VM some time after its transfer has started.
  defp killed(context, port, started?) do
    eventually(fn -> started?.() or Port.info(port) == nil end, 3000)
    Process.sleep(:rand.uniform(1200))
    if Port.info(port), do: Vm.kill(port)
    ended? = &(&1["aborted"] or &1["finished"])
    eventually(fn -> log() |> Enum.drop(context.before) |> Enum.all?(ended?) end, 3000)
  end

  # Each blob has the content that its name is the hash of, and the cache has no errors.
  defp valid(cache, content) do
    # Of the repositories: those that they share are linked from there.
    for blob <- Path.wildcard(cache <> "/*--*/blobs/*"), not String.ends_with?(blob, ".incomplete") do
      assert Path.basename(blob) in [sha256(content) | small_blobs(blob)]
    end

    if File.dir?(cache), do: assert({:ok, %{warnings: []}} = Cache.scan(cache_dir: cache))
  end

  defp small_blobs(blob) do
    bytes = File.read!(blob)
    [:crypto.hash(:sha, ["blob #{byte_size(bytes)}\0", bytes]) |> Base.encode16(case: :lower)]
  end
end
