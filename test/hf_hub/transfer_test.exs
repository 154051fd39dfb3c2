defmodule HfHub.TransferTest do
  # Connections, speed and failures of transfers.
  use HfHub.Case, async: true

  import ExUnit.CaptureLog

  alias HfHub.{Bandwidth, Download, Error, Progress}

  @large 20_000_000

  defp model(context, size \\ @large) do
    content = large(size)
    {id, commit} = repo(context, %{"model.safetensors" => content})
    opts = opts(context, repo_id: id, filename: "model.safetensors")
    {opts, content, commit}
  end

  defp slow(content, bytes_per_second \\ 10_000_000) do
    fault(sha256(content), %{kind: "throttle", bytes_per_second: bytes_per_second})
  end

  describe "a large file" do
    test "is received in parts over several connections, each once", context do
      {opts, content, _commit} = model(context)
      slow(content)
      assert File.read!(Download.hf_hub_download!(opts)) == content
      parts = requests(content)
      assert length(parts) > 2
      assert Enum.all?(parts, &(&1["status"] == 206))
      assert Enum.sum(for part <- parts, do: part["bytes_sent"]) == @large
      assert at_once(parts) > 1
    end

    test "is received over one connection with max_connections: 1, or if it is small", context do
      {opts, content, _commit} = model(context)
      assert File.read!(Download.hf_hub_download!([max_connections: 1] ++ opts)) == content
      assert [%{"status" => 200, "range" => nil}] = requests(content)

      {opts, content, _commit} = model(context, 1_000_000)
      assert File.read!(Download.hf_hub_download!(opts)) == content
      assert [%{"status" => 200, "range" => nil}] = requests(content)
    end

    test "shares the connections of its call with other files", context do
      contents = for n <- 1..3, into: %{}, do: {"model#{n}.safetensors", large(@large)}
      {id, _commit} = repo(context, contents)
      for {_name, content} <- contents, do: slow(content)
      opts = opts(context, repo_id: id, max_workers: 2, max_connections: 3)
      folder = Download.snapshot_download!(opts)
      for {name, content} <- contents, do: assert(File.read!(Path.join(folder, name)) == content)
      parts = Enum.flat_map(contents, fn {_name, content} -> requests(content) end)
      # One for each of two files, and two more.
      assert at_once(parts) in 2..4
    end

    test "is complete despite any network fault in a part", context do
      faults = [
        %{kind: "drop", after: 1_000_000},
        %{kind: "short", by: 1000},
        %{kind: "stall", after: 100_000},
        %{kind: "dribble", bytes: 1, every_ms: 1, after: 100_000},
        %{kind: "hang"},
        %{kind: "hang_up"},
        %{kind: "wrong_range", shift: 7},
        %{kind: "range_416"},
        %{kind: "ignore_range"},
        %{kind: "expired"},
        %{kind: "status", code: 401},
        %{kind: "status", code: 403},
        %{kind: "status", code: 500},
        %{kind: "status", code: 503},
        %{kind: "rate_limit", seconds: 0}
      ]

      survive = fn fault ->
        {opts, content, _commit} = model(context)
        # Not the first part, but one in the middle.
        fault(sha256(content), fault, %{skip: 1, times: 1})
        slow(content)
        opts = Keyword.merge(opts, etag_timeout: 500, download_timeout: 500, retry_delay: 1)
        assert {:ok, path} = Download.hf_hub_download(opts), inspect(fault)
        assert sha256(File.read!(path)) == sha256(content), inspect(fault)
      end

      faults |> Task.async_stream(survive, max_concurrency: 5, timeout: 60_000) |> Stream.run()
      assert Path.wildcard(context.cache <> "/**/*.incomplete") == []
    end

    test "with a wrong or too long part is an error", context do
      {opts, content, _commit} = model(context)
      fault(sha256(content), %{kind: "corrupt", at: 15_000_000})
      assert {:error, %Error{kind: :checksum_mismatch}} = Download.hf_hub_download(opts)
      assert Path.wildcard(context.cache <> "/**/snapshots/*/*") == []
      assert Path.wildcard(context.cache <> "/**/*.incomplete") == []
    end

    test "that changes on the Hub is downloaded from the start", context do
      {opts, content, _commit} = model(context)
      new = large(@large)
      slow(content, 2_000_000)

      task = Task.async(fn -> Download.hf_hub_download!([max_connections: 2] ++ opts) end)
      eventually(fn -> requests(content) != [] end)
      repo(context, %{"model.safetensors" => new}, id: opts[:repo_id])
      # From here on the signed URL of the old content fails, and the Hub has new content.
      fault(sha256(content), %{kind: "expired"})
      assert File.read!(Task.await(task)) == new
    end

    test "is resumed with its missing parts", context do
      {opts, content, _commit} = model(context)
      fault(sha256(content), %{kind: "drop", after: 600_000}, %{skip: 2, times: 1})
      slow(content)
      assert {:error, %Error{message: message}} = Download.hf_hub_download([retries: 0] ++ opts)
      assert message =~ "the received part is kept"
      assert [partial] = Path.wildcard(context.cache <> "/**/*.incomplete")
      assert File.stat!(partial).size > 0

      me = self()
      {:ok, path} = Download.resume_download([progress: &send(me, &1)] ++ opts)
      assert File.read!(path) == content
      assert_received %Progress{activity: :done, bytes_resumed: resumed, bytes_received: received}
      assert resumed > 0 and resumed + received == @large
      assert Path.wildcard(context.cache <> "/**/*.incomplete") == []
    end
  end

  describe "waiting" do
    test "for a server that sends slowly is limited", context do
      {opts, content, _commit} = model(context, 300_000)
      fault(sha256(content), %{kind: "dribble", bytes: 1, every_ms: 20, after: 1000})
      opts = [download_timeout: 400, retries: 1] ++ opts
      assert {:error, %Error{kind: :timeout} = error} = Download.hf_hub_download(opts)

      assert Exception.message(error) =~
               ~r"fewer than 65536 bytes arrived from 127.0.0.1:\d+ in 2400 ms; gave up after 2 attempts"

      opts = Keyword.drop(opts, [:cache_dir])
      assert_raise Error, ~r/gave up after 2 attempts/, fn -> Stream.run(Download.download_stream!(opts)) end
    end

    test "is reported as progress", context do
      me = self()
      {opts, content, _commit} = model(context, 300_000)
      fault(sha256(content), %{kind: "rate_limit", seconds: 1}, %{times: 1})
      {:ok, _path} = Download.hf_hub_download([progress: &send(me, &1)] ++ opts)
      assert_received %Progress{activity: :rate_limited, wait: wait} when wait in 1..2000
      {opts, content, _commit} = model(context, 300_000)
      fault(sha256(content), %{kind: "stall", after: 1000}, %{times: 1})
      {:ok, _path} = Download.hf_hub_download([progress: &send(me, &1), download_timeout: 4000] ++ opts)
      assert_received %Progress{activity: :stalled}
    end

    test "uses both forms of Retry-After", context do
      {opts, content, _commit} = model(context, 300_000)
      date = DateTime.utc_now() |> DateTime.add(1) |> Calendar.strftime("%a, %d %b %Y %H:%M:%S GMT")
      headers = &%{kind: "status", code: 503, headers: %{"Retry-After" => &1}}
      fault(sha256(content), headers.("1"), %{times: 1})
      fault(sha256(content), headers.(date), %{skip: 1, times: 1})
      started = System.monotonic_time(:millisecond)
      assert {:ok, _path} = Download.hf_hub_download(opts)
      assert System.monotonic_time(:millisecond) - started > 2000
    end

    @tag timeout: 120_000
    test "for another process's lock is logged", context do
      {opts, content, _commit} = model(context, 300_000)
      folder = "models--" <> String.replace(opts[:repo_id], "/", "--")
      lock = Path.join([context.cache, ".locks", folder, sha256(content) <> ".lock"])
      File.mkdir_p!(Path.dirname(lock))
      flock = System.find_executable("flock")
      holder = Port.open({:spawn_executable, flock}, [:binary, args: [lock, "-c", "echo held; sleep 11"]])
      assert_receive {^holder, {:data, "held\n"}}, 5000

      log =
        capture_log([level: :info], fn ->
          assert File.read!(Download.hf_hub_download!(opts)) == content
        end)

      assert log =~ "waiting for another process that is downloading model.safetensors"
    end
  end

  test "a download waits for a removal in progress, up to :timeout", context do
    {opts, _content, _commit} = model(context, 1000)
    folder = "models--" <> String.replace(opts[:repo_id], "/", "--")
    lock = Path.join([context.cache, ".locks", folder, "hf_hub.busy"])
    File.mkdir_p!(Path.dirname(lock))
    flock = System.find_executable("flock")
    holder = Port.open({:spawn_executable, flock}, [:binary, args: [lock, "-c", "echo held; sleep 3"]])
    assert_receive {^holder, {:data, "held\n"}}, 5000
    opts = Keyword.delete(opts, :filename)

    for call <- [
          &Download.snapshot_download/1,
          &Download.hf_hub_download([filename: "model.safetensors"] ++ &1)
        ] do
      assert {:error, %Error{kind: :timeout} = error} = call.([timeout: 300] ++ opts)
      assert Exception.message(error) =~ "another process held the lock"
    end

    assert {:ok, _folder} = Download.snapshot_download(opts)
  end

  describe "a bandwidth limit" do
    test "applies to a call, is shared by calls, and can be changed meanwhile", context do
      # Two megabytes would take 100 seconds.
      limit = Bandwidth.new(20_000)

      tasks =
        for _ <- 1..2 do
          {opts, content, _commit} = model(context, 1_000_000)
          Task.async(fn -> {Download.hf_hub_download!([max_bandwidth: limit] ++ opts), content} end)
        end

      Process.sleep(500)
      assert Enum.all?(tasks, &(Task.yield(&1, 0) == nil))
      Bandwidth.set(limit, :infinity)
      for {path, content} <- Task.await_many(tasks, 30_000), do: assert(File.read!(path) == content)
    end

    test "applies to streams, and accepts integers", context do
      {opts, content, _commit} = model(context, 300_000)
      opts = [max_bandwidth: 400_000] ++ Keyword.delete(opts, :cache_dir)
      started = System.monotonic_time(:millisecond)
      assert Enum.join(Download.download_stream!(opts)) == content
      assert System.monotonic_time(:millisecond) - started > 500
    end
  end

  describe "callers of one file" do
    test "share one transfer, and each receives its progress", context do
      {opts, content, _commit} = model(context, 3_000_000)
      slow(content, 6_000_000)

      paths =
        1..10
        |> Enum.map(fn _ ->
          Task.async(fn ->
            me = self()
            path = Download.hf_hub_download!([progress: me] ++ opts)
            assert_received {:hf_hub_progress, %Progress{activity: :downloading, bytes_total: 3_000_000}}
            assert_received {:hf_hub_progress, %Progress{activity: :done, bytes_done: 3_000_000}}
            path
          end)
        end)
        |> Task.await_many()

      assert [path] = Enum.uniq(paths)
      assert File.read!(path) == content
      assert [%{"bytes_sent" => 3_000_000}] = requests(content)
    end

    test "do not depend on the first caller", context do
      {opts, content, _commit} = model(context, 3_000_000)
      slow(content, 6_000_000)
      first = spawn(fn -> Download.hf_hub_download(opts) end)
      eventually(fn -> requests(content) != [] end)
      second = Task.async(fn -> Download.hf_hub_download!(opts) end)
      # The second one has sent its request to the Hub too.
      eventually(fn -> length(requests(opts[:repo_id])) == 2 end)
      Process.sleep(50)
      Process.exit(first, :kill)
      assert File.read!(Task.await(second)) == content
      assert [%{"bytes_sent" => 3_000_000}] = requests(content)
    end

    test "leave no connection open when all have exited", context do
      {opts, content, _commit} = model(context)
      # Too slow to end while the test waits.
      slow(content, 10_000)
      pids = for _ <- 1..3, do: spawn(fn -> Download.hf_hub_download(opts) end)
      eventually(fn -> length(requests(content)) > 1 end)
      Enum.each(pids, &Process.exit(&1, :kill))
      eventually(fn -> Enum.all?(requests(content), & &1["aborted"]) end)
    end
  end

  describe "a token" do
    test "is not sent over plain HTTP to another machine", _context do
      ask = [endpoint: "http://192.0.2.1", token: "hf_CANARY", retries: 0, etag_timeout: 200]
      assert {:error, %Error{kind: :unauthorized} = error} = HfHub.Repo.create("a/b", ask)
      assert Exception.message(error) =~ "not sent to http://192.0.2.1 over plain http"
      assert Exception.message(error) =~ "HF_HUB_ALLOW_HTTP_TOKEN"
      refute inspect(error) =~ "CANARY"
    end
  end

  describe "a range of a stream" do
    test "returns the requested bytes", context do
      {opts, content, _commit} = model(context, 300_000)
      {id, _commit} = repo(context, %{"small.txt" => "0123456789"})
      small = [endpoint: context.endpoint, repo_id: id, filename: "small.txt"]
      read = &(Download.download_stream!([range: &1] ++ &2) |> Enum.join())
      opts = Keyword.delete(opts, :cache_dir)

      for range <- [0..0, 0..99, 1000..250_000, 299_999..299_999, 299_990..400_000, 100..-1//1, -5..-1//1] do
        assert read.(range, opts) == slice(content, range), inspect(range)
      end

      for range <- [0..3, 4..4, 2..100, 7..-1//1, -4..-1//1, -100..-1//1] do
        assert read.(range, small) == slice("0123456789", range), inspect(range)
      end

      assert Enum.all?(requests(content), &(&1["status"] == 206))
      assert_raise Error, ~r/after the end of the file/, fn -> read.(300_001..300_002, opts) end
      assert_raise Error, ~r/after the end of the file/, fn -> read.(50..60, small) end
      assert_raise ArgumentError, ~r/:range to be like/, fn -> read.(5..2//-1, opts) end
      assert_raise ArgumentError, ~r/:range to be like/, fn -> read.(0..9//3, opts) end
      assert_raise ArgumentError, ~r/:range/, fn -> read.({0, 1}, opts) end
    end

    test "works with a server without ranges and over broken connections", context do
      {opts, content, _commit} = model(context, 300_000)
      opts = Keyword.delete(opts, :cache_dir)
      fault(sha256(content), %{kind: "ignore_range"}, %{times: 1})

      assert Download.download_stream!([range: 1000..1999] ++ opts) |> Enum.join() ==
               slice(content, 1000..1999)

      fault(sha256(content), %{kind: "drop", after: 50_000}, %{times: 2})
      stream = Download.download_stream!([range: 1000..200_000] ++ opts)
      assert Enum.join(stream) == slice(content, 1000..200_000)
    end
  end

  defp slice(content, range),
    do: content |> :binary.bin_to_list() |> Enum.slice(range) |> :binary.list_to_bin()

  # The maximum number of concurrent requests.
  defp at_once(requests) do
    requests
    |> Enum.map(fn request ->
      Enum.count(
        requests,
        &(&1["started_ms"] <= request["started_ms"] and &1["ended_ms"] > request["started_ms"])
      )
    end)
    |> Enum.max()
  end
end
