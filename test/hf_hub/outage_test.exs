defmodule HfHub.OutageTest do
  # A Hub that stops, restarts, or sends Retry-After. Each test has a separate Hub.
  use HfHub.Case, async: true

  import ExUnit.CaptureLog

  alias HfHub.{Api, Auth, Commit, DatasetFiles, Download, Error, LocalHub}

  @moduletag capture_log: true

  defp start(context, opts \\ []) do
    {:ok, hub} = LocalHub.start_link([root: Path.join(context.dir, "hub"), test_control: true] ++ opts)
    hub
  end

  defp plant(endpoint, rule), do: control(:post, "faults", rule, endpoint)

  defp timed(fun) do
    {micros, result} = :timer.tc(fun)
    {div(micros, 1000), result}
  end

  describe "a download while the Hub is away" do
    setup context do
      hub = start(context)
      endpoint = LocalHub.endpoint(hub)
      content = large(40_000_000)
      folder = folder(context, %{"model.safetensors" => content})
      LocalHub.import_folder!(hub, folder, "org/model")
      # The connections are so slow that several are opened.
      rule = %{match: sha256(content), origin: "cdn", fault: %{kind: "throttle", bytes_per_second: 1_500_000}}
      plant(endpoint, rule)

      opts = [
        repo_id: "org/model",
        filename: "model.safetensors",
        endpoint: endpoint,
        cache_dir: context.cache,
        progress: self()
      ]

      {:ok, hub: hub, content: content, opts: opts}
    end

    defp until_several(endpoint, least) do
      eventually(fn -> control(:get, "connections", nil, endpoint)["cdn"]["open"] >= least end)
    end

    defp stalled do
      receive do
        {:hf_hub_progress, %{activity: :stalled, wait: wait}} when is_integer(wait) -> wait
        {:hf_hub_progress, _other} -> stalled()
      after
        10_000 -> flunk("it did not show the outage")
      end
    end

    test "waits with any number of connections, and reports for how long", context do
      %{hub: hub, opts: opts, content: content} = context
      test = self()
      opts = Keyword.merge(opts, retry_delay: 100, progress: test)
      download = Task.async(fn -> Download.hf_hub_download(opts) end)
      until_several(opts[:endpoint], 4)
      port = URI.parse(opts[:endpoint]).port
      LocalHub.stop(hub)
      # 100, 200, 400 and seven times 800 ms.
      assert stalled() in 4_000..6_300
      Process.sleep(4_000)
      refute Task.yield(download, 0)
      start(context, port: port)
      assert {:ok, path} = Task.await(download, 60_000)
      assert File.read!(path) == content
    end

    test "gives up after that time with an error, and keeps the received bytes", %{hub: hub, opts: opts} do
      opts = Keyword.merge(opts, retry_delay: 20, progress: nil)
      download = Task.async(fn -> Download.hf_hub_download(opts) end)
      until_several(opts[:endpoint], 4)
      LocalHub.stop(hub)
      {elapsed, {:error, error}} = timed(fn -> Task.await(download, 60_000) end)
      assert elapsed >= 1_000
      assert %Error{kind: :transport, message: message} = error
      assert message =~ "connection refused by 127.0.0.1:" and message =~ "gave up after 11 attempts"
      assert message =~ "the received part is kept"
    end
  end

  describe "an unreachable Hub" do
    setup context do
      hub = start(context)
      LocalHub.import_folder!(hub, folder(context, %{"a.txt" => "1", "b.txt" => "2"}), "org/model")

      {:ok,
       hub: hub, opts: [repo_id: "org/model", endpoint: LocalHub.endpoint(hub), cache_dir: context.cache]}
    end

    test "is not waited for if the snapshot is cached", %{hub: hub, opts: opts} = context do
      local = Path.join(context.dir, "local")
      folder = Download.snapshot_download!(opts)
      Download.snapshot_download!(Keyword.put(opts, :local_dir, local))
      LocalHub.stop(hub)

      for {more, expected} <- [{[], folder}, {[local_dir: local], local}],
          endpoint <- [opts[:endpoint], "http://nowhere.invalid"] do
        # A retry would take longer than the test waits.
        ask = Keyword.merge(opts, [endpoint: endpoint, retry_delay: 60_000] ++ more)

        log =
          capture_log(fn ->
            download = Task.async(fn -> Download.snapshot_download(ask) end)
            assert {:ok, ^expected} = Task.await(download, 20_000)
          end)

        assert log =~ "using the cached copy"
      end
    end

    test "is waited for if the snapshot is incomplete", %{hub: hub, opts: opts} = context do
      Download.snapshot_download!(Keyword.put(opts, :allow_patterns, "a.txt"))
      port = URI.parse(opts[:endpoint]).port
      LocalHub.stop(hub)
      download = Task.async(fn -> Download.snapshot_download(opts ++ [retry_delay: 1500]) end)
      Process.sleep(300)
      start(context, port: port)
      assert {:ok, folder} = Task.await(download, 20_000)
      assert ["a.txt", "b.txt"] -- File.ls!(folder) == []
    end

    test "that closes connections is tried once if there is a copy", %{hub: hub, opts: opts} do
      Download.snapshot_download!(opts)
      LocalHub.stop(hub)
      {:ok, listener} = :gen_tcp.listen(0, [:binary, active: false, ip: {127, 0, 0, 1}])
      {:ok, port} = :inet.port(listener)
      count = :counters.new(1, [])
      server = Task.async(fn -> close_each(listener, count) end)
      # A retry would take longer than the test waits.
      ask = Keyword.merge(opts, endpoint: "http://127.0.0.1:#{port}", retry_delay: 60_000)
      Download.snapshot_download!(ask)
      assert :counters.get(count, 1) == 1
      Download.hf_hub_download!(ask ++ [filename: "a.txt"])
      assert :counters.get(count, 1) == 2
      Task.shutdown(server, :brutal_kill)
    end

    defp close_each(listener, count) do
      {:ok, socket} = :gen_tcp.accept(listener)
      :counters.add(count, 1, 1)
      :gen_tcp.close(socket)
      close_each(listener, count)
    end

    test "costs one retry without a copy, whatever the call", %{hub: hub, opts: opts} = context do
      commit = Api.model_info!("org/model", endpoint: opts[:endpoint]).sha
      folder = Download.snapshot_download!(opts ++ [revision: commit, allow_patterns: "a.txt"])
      LocalHub.stop(hub)
      ask = [endpoint: opts[:endpoint], token: token(), retry_delay: 10]
      download = Keyword.put(opts, :retry_delay, 10)

      calls = [
        # The listing is stored, so the first request is for a file.
        fn -> Download.snapshot_download(download ++ [revision: commit]) end,
        fn -> Download.snapshot_download(download ++ [force_download: true]) end,
        fn -> Download.hf_hub_download(download ++ [filename: "b.txt"]) end,
        fn -> Download.hf_hub_download(download ++ [filename: "b.txt", local_dir: context.dir]) end,
        fn -> Commit.upload_file({:binary, "x"}, "x.txt", "org/model", ask) end,
        fn -> Commit.upload_folder(folder, "org/model", ask) end,
        fn -> Auth.whoami(ask) end,
        fn -> Api.list_repo_tree("org/model", ask) end,
        fn -> DatasetFiles.resolve("org/data", "default", "train", ask) end
      ]

      for call <- calls do
        assert {:error, %Error{kind: :transport, message: message}} = call.()
        assert message =~ "gave up after 2 attempts"
      end
    end

    test "costs a lookup one short pause", %{hub: hub, opts: opts} do
      LocalHub.stop(hub)

      for {endpoint, message} <- [
            {opts[:endpoint], "connection refused by 127.0.0.1:"},
            {"https://nowhere.invalid", "cannot resolve the host name nowhere.invalid"}
          ] do
        assert {elapsed, {:error, error}} = timed(fn -> Auth.whoami(endpoint: endpoint, token: token()) end)
        assert elapsed >= 1_000
        assert error.kind == :transport and error.message =~ message
        assert error.message =~ "gave up after 2 attempts"
      end
    end
  end

  describe "a pause of Retry-After" do
    test "is an error at once if it exceeds the timeout", context do
      hub = start(context, args: ["--rate-limit", "3/40"])
      LocalHub.import_folder!(hub, folder(context, %{"a.txt" => "1"}), "org/model")
      ask = [endpoint: LocalHub.endpoint(hub), timeout: 20_000]
      for _ <- 1..3, do: Api.model_info("org/model", ask)

      for retries <- [0, 5] do
        # Earlier than the timeout, which a call that waits for the pause would reach.
        question = Task.async(fn -> Api.model_info("org/model", [retries: retries] ++ ask) end)
        assert {:error, error} = Task.await(question, 15_000)
        assert %Error{kind: :rate_limited, retry_after: wait} = error
        assert wait in 20_000..41_000
        assert error.message =~ "exceeds the timeout"
      end
    end

    test "for a shared transfer is an error for callers with less time only", context do
      hub = start(context)
      content = large(300_000)
      LocalHub.import_folder!(hub, folder(context, %{"a.safetensors" => content}), "org/model")
      endpoint = LocalHub.endpoint(hub)

      plant(endpoint, %{
        match: sha256(content),
        origin: "cdn",
        times: 1,
        fault: %{kind: "rate_limit", seconds: 3}
      })

      ask = [repo_id: "org/model", filename: "a.safetensors", endpoint: endpoint, cache_dir: context.cache]
      patient = Task.async(fn -> Download.hf_hub_download(ask) end)
      Process.sleep(200)

      assert {elapsed, {:error, %Error{kind: :rate_limited} = error}} =
               timed(fn -> Download.hf_hub_download(ask ++ [timeout: 1_500]) end)

      assert elapsed < 1_000 and error.retry_after in 1_500..4_100
      assert {:ok, path} = Task.await(patient, 20_000)
      assert File.read!(path) == content
    end
  end
end
