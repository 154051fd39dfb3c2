defmodule HfHub.NativeTest do
  # The contract of the boundary: exactly one result, no blocked scheduler,
  # and no job that outlives its owner.
  use HfHub.Case, async: false

  alias HfHub.{Download, Error, Native}
  alias HfHub.Native.{Hub, Nif}

  defp stalled(context, more \\ []) do
    content = large(300_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})
    fault(sha256(content), %{kind: "stall", after: 100_000})
    {opts(context, [repo_id: id, filename: "model.safetensors", download_timeout: 60_000] ++ more), content}
  end

  defp partial(context), do: Path.wildcard(context.cache <> "/**/*.incomplete")

  test "a call returns in microseconds" do
    ref = make_ref()
    spec = %{path: __ENV__.file, algorithm: :sha256}
    Nif.start(ref, :hash_file, spec)
    {time, _} = :timer.tc(fn -> for _ <- 1..1000, do: Nif.start(ref, :hash_file, spec) end)
    for _ <- 1..1001, do: assert_receive({:hf_hub, ^ref, {:ok, _}}, 5000)
    assert time / 1000 < 1000, "#{time / 1000} µs a call"
  end

  test "a spec that cannot be read raises without showing what it holds" do
    for spec <- [%{path: 1, algorithm: "hf_secret"}, %{path: "x"}, :none, %{path: self(), algorithm: :sha256}] do
      error = assert_raise ArgumentError, fn -> Native.run(:hash_file, spec) end
      refute Exception.message(error) =~ "hf_secret"
    end

    assert_raise ArgumentError, fn -> Native.run(:no_such_job, %{}) end

    assert_raise ArgumentError, fn ->
      Enum.to_list(Native.stream(:stream, fn -> %{} end, &HfHub.Telemetry.none/1))
    end

    refute_receive {:hf_hub, _, _}, 50
  end

  test "an invalid name in a spec is an error, and a path may have any bytes" do
    spec = %{
      cache_dir: "/nowhere",
      spec: %{repo: %{repo_type: "model", id: "a/../b"}, revision: "main", filename: "f"}
    }

    assert {:error, %Error{kind: :invalid_name, message: message}} = Native.run(:hold, spec)
    assert message =~ "repository id"
    question = put_in(spec.spec[:to_use], false)
    assert {:error, %{kind: :invalid_name, message: ^message}} = Nif.look_up(question)
    assert_raise ArgumentError, fn -> Nif.look_up(%{spec | spec: %{}}) end

    path = Path.join(System.tmp_dir!(), <<"hf_hub_", 0xFF, "_#{System.unique_integer([:positive])}">>)
    File.write!(path, "x")
    on_exit(fn -> File.rm!(path) end)
    sha256 = Base.encode16(:crypto.hash(:sha256, "x"), case: :lower)
    assert {:ok, ^sha256} = Native.run(:hash_file, %{path: path, algorithm: :sha256})
  end

  test "a panic is exactly one error" do
    for place <- [:runtime, :blocking] do
      assert {:error, %Error{kind: :internal, message: message}} = Native.run(:panic, place)
      assert message =~ "a panic on a #{place} thread"
    end

    assert_raise ErlangError, ~r/nif_panicked/, fn -> Nif.panic() end
    refute_receive {:hf_hub, _, _}, 50
  end

  test "a cancelled job sends one result", context do
    {opts, _content} = stalled(context)
    ref = make_ref()
    {:ok, hub} = Hub.config(Keyword.merge([retries: 0, retry_delay: 10], opts))
    repo = %{repo_type: "model", id: opts[:repo_id]}

    job =
      Nif.start(ref, :stream, %{
        hub: hub,
        repo: repo,
        revision: "main",
        filename: "model.safetensors",
        part: :whole
      })

    Nif.cancel(job)
    Nif.cancel(job)
    assert_receive {:hf_hub, ^ref, {:error, %{kind: :cancelled}}}
    refute_receive {:hf_hub, ^ref, _}, 50
  end

  test "the exit of the owner closes the socket, releases the lock and keeps the partial file", context do
    {opts, content} = stalled(context)
    owner = spawn(fn -> Download.hf_hub_download(opts) end)
    eventually(fn -> partial(context) |> Enum.any?(&(File.stat!(&1).size > 0)) end)
    Process.exit(owner, :kill)
    # The stall timeout would end it much later, with a second request.
    eventually(fn -> match?([%{"aborted" => true}], requests(content)) end)

    control(:delete, "faults")
    # The lock is released and the partial file is resumed: less than the whole file is sent again.
    assert File.read!(Download.hf_hub_download!(opts)) == content
    assert [_aborted, %{"status" => 206}] = requests(content)
    assert partial(context) == []
  end

  test "a killed owner's socket is closed within a fifth of a second", context do
    # The best of several rounds, because a busy machine may be slow.
    took =
      for _round <- 1..5 do
        {opts, content} = stalled(context)
        owner = spawn(fn -> Download.hf_hub_download(opts) end)
        eventually(fn -> requests(content) != [] end)
        killed = System.os_time(:millisecond)
        Process.exit(owner, :kill)
        eventually(fn -> match?([%{"aborted" => true}], requests(content)) end)
        System.os_time(:millisecond) - killed
      end

    assert Enum.min(took) < 200, inspect(took)
  end

  @tag :proc
  test "no descriptor and no thread is leaked, however a download ends", context do
    content = large(400_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content, "wrong.bin" => content <> "x"})
    fault(sha256(content <> "x"), %{kind: "corrupt", at: 1})

    round = fn n ->
      opts = opts(context, repo_id: id, cache_dir: Path.join(context.dir, "round#{n}"))
      Download.snapshot_download!([allow_patterns: "model*"] ++ opts)
      {:error, %Error{kind: :checksum_mismatch}} = Download.hf_hub_download([filename: "wrong.bin"] ++ opts)

      Download.download_stream!(Keyword.drop([filename: "model.safetensors"] ++ opts, [:cache_dir]))
      |> Enum.take(1)

      {stalled, stalling} = stalled(context)
      owner = spawn(fn -> Download.hf_hub_download(stalled) end)
      eventually(fn -> requests(stalling) != [] end)
      Process.exit(owner, :kill)
    end

    Enum.each(1..3, round)
    {descriptors, threads} = {count("fd"), count("task")}
    Enum.each(4..20, round)
    # The number of idle connections and idle threads varies.
    eventually(fn -> count("fd") <= descriptors + 8 end)
    eventually(fn -> count("task") <= threads + 16 end)
  end

  defp count(what), do: "/proc/self/#{what}" |> File.ls!() |> length()

  test "many small files share a few connections", context do
    files = Map.new(1..200, &{"data/#{&1}.txt", "#{&1}"})
    {id, _commit} = repo(context, files)
    opened = fn -> control(:get, "connections")["hub"]["accepted"] end
    before = opened.()
    Download.snapshot_download!(opts(context, repo_id: id, max_workers: 8))
    # Each read of the counter may open another connection.
    assert opened.() - before <= 8 + 4
  end

  test "a stopped Task stops its download", context do
    {opts, content} = stalled(context)
    task = Task.async(fn -> Download.hf_hub_download(opts) end)
    eventually(fn -> requests(content) != [] end)
    Task.shutdown(task)
    eventually(fn -> match?([%{"aborted" => true}], requests(content)) end)
  end

  test "64 stalled downloads do not block file access", context do
    content = large(100_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})
    fault(sha256(content), %{kind: "stall", after: 1000})

    owners =
      for n <- 1..64 do
        # Separate caches, so that none waits for another's lock.
        opts =
          opts(context, repo_id: id, filename: "model.safetensors", cache_dir: Path.join(context.dir, "c#{n}"))

        spawn(fn -> Download.hf_hub_download([download_timeout: 60_000] ++ opts) end)
      end

    eventually(fn -> length(requests(content)) == 64 end, 1000)

    # With blocked dirty schedulers, this would end only after the stall.
    reads = Task.async(fn -> for _ <- 1..50, do: File.read!(__ENV__.file) end)
    assert length(Task.await(reads, 20_000)) == 50
    refute Enum.any?(requests(content), &(&1["aborted"] or &1["finished"]))
    Enum.each(owners, &Process.exit(&1, :kill))
    eventually(fn -> Enum.all?(requests(content), & &1["aborted"]) end)
  end

  test "a receiver that reads no messages gets at most one", context do
    content = large(3_000_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})
    fault(sha256(content), %{kind: "throttle", bytes_per_second: 1_500_000})
    {:ok, hub} = Hub.config(endpoint: context.endpoint, retries: 0, retry_delay: 10)
    ref = make_ref()

    Nif.start(ref, :download, %{
      hub: hub,
      progress: true,
      repo: %{repo_type: "model", id: id},
      revision: "main",
      filename: "model.safetensors",
      destination: {:cache, context.cache},
      mode: %{
        force_download: false,
        local_files_only: false,
        dry_run: false,
        symlinks: true,
        shared_blobs: false
      },
      expected_sha256: nil
    })

    assert {:ok, _report} = await_end(ref)
    # The one that was not acknowledged, and the last one.
    assert [_, _] = for({:hf_hub, ^ref, {:progress, _}} = message <- mailbox(), do: message)
  end

  defp await_end(ref) do
    receive do
      {:hf_hub, ^ref, {:ok, report}} -> {:ok, report}
      {:hf_hub, ^ref, {:error, error}} -> {:error, error}
    after
      20_000 -> flunk("no answer: #{inspect(mailbox())}")
    end
  end

  defp mailbox, do: self() |> Process.info(:messages) |> elem(1)

  test "a slow reader of a stream applies backpressure to the socket", context do
    content = large(50_000_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})
    stream = Download.download_stream!(endpoint: context.endpoint, repo_id: id, filename: "model.safetensors")

    Enum.reduce_while(stream, 0, fn _chunk, n ->
      Process.sleep(20)
      assert length(mailbox()) <= 2
      if n == 5, do: {:halt, n}, else: {:cont, n + 1}
    end)

    [%{"bytes_sent" => sent}] = requests(content)
    assert sent < 25_000_000, "#{sent} bytes had been sent to a reader of six pieces"
  end

  test "the module can be reloaded while jobs run", context do
    {opts, _content} = stalled(context)

    # A native library cannot be reloaded: the reload fails and the running code is kept.
    log =
      ExUnit.CaptureLog.capture_log(fn ->
        for _round <- 1..200 do
          owner = spawn(fn -> Download.hf_hub_download(opts) end)
          assert {:error, :on_load_failure} = :code.load_file(Nif)
          Process.exit(owner, :kill)
        end
      end)

    assert log =~ "cannot be reloaded"
    control(:delete, "faults")
    assert {:ok, _path} = Download.hf_hub_download(opts)
  end

  test "error kinds and activities are the documented ones" do
    {:ok, types} = Code.Typespec.fetch_types(Error)

    kinds =
      for {:type, {:kind, {:type, _, :union, atoms}, _}} <- types,
          {:atom, _, name} <- atoms,
          do: to_string(name)

    {native_kinds, activities} = Nif.vocabulary()
    assert Enum.sort(kinds) == Enum.sort(native_kinds)

    {:docs_v1, _, _, _, %{"en" => doc}, _, _} = Code.fetch_docs(Error)
    for kind <- kinds, do: assert(doc =~ "| `:#{kind}` |", "#{kind} is not in the table of kinds")

    {:docs_v1, _, _, _, %{"en" => doc}, _, _} = Code.fetch_docs(HfHub.Progress)
    for activity <- activities, do: assert(doc =~ "`:#{activity}`")
  end

  test "the library and the engine have the same version" do
    assert Nif.version() == HfHub.version()
  end
end
