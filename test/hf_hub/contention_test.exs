defmodule HfHub.ContentionTest do
  # Many callers, several VMs, locks without effect, failing disks: every visible file is valid.
  use HfHub.Case, async: true

  alias HfHub.{Download, Error, Vm}

  @moduletag timeout: 1_800_000

  @rounds if System.get_env("HF_HUB_TEST_LONG"), do: 200, else: 10

  defp download(context, id, more \\ "") do
    """
    opts = [repo_id: "#{id}", endpoint: "#{context.endpoint}", cache_dir: "#{context.cache}", retry_delay: 10]
    IO.inspect(HfHub.Download.snapshot_download(opts ++ [#{more}]))
    """
  end

  # Every file that a reader can see is a link to a blob, and every blob hashes to its name.
  defp assert_right(cache) do
    blobs = Path.wildcard(cache <> "/models--*/blobs/*") |> Enum.reject(&String.ends_with?(&1, ".incomplete"))

    for path <- Path.wildcard(cache <> "/models--*/snapshots/*/**", match_dot: true), File.regular?(path) do
      assert Path.expand(File.read_link!(path), Path.dirname(path)) in blobs, "#{path} is wrong"
    end

    for path <- blobs,
        do: assert(hash(path, byte_size(Path.basename(path))) == Path.basename(path), "#{path} is wrong")
  end

  # Large files are named by SHA-256, others as by Git.
  defp hash(path, 64), do: sha256(File.read!(path))

  defp hash(path, 40) do
    content = File.read!(path)
    :crypto.hash(:sha, ["blob #{byte_size(content)}\0", content]) |> Base.encode16(case: :lower)
  end

  test "fifty callers of an uncached file share one transfer", context do
    content = large(1_000_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})

    for round <- 1..20 do
      cache = Path.join(context.dir, "cache#{round}")
      opts = opts(context, repo_id: id, filename: "model.safetensors", cache_dir: cache)
      tasks = for _ <- 1..50, do: Task.async(fn -> Download.hf_hub_download!(opts) end)
      assert [path] = tasks |> Task.await_many(60_000) |> Enum.uniq()
      assert File.read!(path) == content
      assert_right(cache)
    end

    whole = Enum.count(requests(content), & &1["finished"])
    assert whole in 20..30, "the content was sent #{whole} times in 20 rounds"
  end

  test "a VM killed at a random moment leaves a valid cache and loses few bytes", context do
    # Two at a time: they mostly wait.
    rounds = Enum.chunk_every(1..@rounds, div(@rounds, 2))
    resumed = rounds |> Task.async_stream(&kill_again_and_again(context, &1), timeout: :infinity)
    interrupted = for {:ok, rounds} <- resumed, bytes when bytes != nil <- rounds, do: bytes
    assert length(interrupted) > @rounds / 3
    # None of them started at zero, except those killed before 24 MB were received.
    assert Enum.count(interrupted, &(&1 > 0)) > length(interrupted) / 3
  end

  defp kill_again_and_again(context, rounds) do
    content = large(64_000_000)
    files = Map.new(1..20, &{"data/#{&1}.txt", String.duplicate("#{&1}", &1)})
    {id, _commit} = repo(context, Map.put(files, "model.safetensors", content))
    fault(sha256(content), %{kind: "throttle", bytes_per_second: 20_000_000})

    for round <- rounds do
      cache = Path.join(context.dir, "cache#{round}")
      one_killed(%{context | cache: cache}, id, content, opts(context, repo_id: id))
    end
  end

  # Bytes that the next call resumed, or nil if the VM was killed after its large file was complete.
  defp one_killed(context, id, content, opts) do
    # Compared by hash: generating the content for each check would take longer than the download.
    interrupted = killed(context, id, sha256(content))
    left = resumable(context.cache)
    opts = Keyword.put(opts, :cache_dir, context.cache)

    case Download.snapshot_download([local_files_only: true] ++ opts) do
      {:ok, _folder} -> :ok
      {:error, error} -> assert error.kind == :not_cached
    end

    assert_right(context.cache)
    me = self()
    {:ok, folder} = Download.snapshot_download([progress: &send(me, &1)] ++ opts)
    assert File.read!(Path.join(folder, "model.safetensors")) == content
    assert_right(context.cache)
    assert_received %{activity: :done, bytes_resumed: resumed}
    # A range of less than 256 KiB between two gaps is requested again; each connection may leave one.
    assert resumed > left - 2 * 262_144, "#{left} bytes were noted, #{resumed} were used"
    assert Path.wildcard(context.cache <> "/**/*.incomplete") == []
    File.rm_rf!(context.cache)
    if interrupted, do: resumed
  end

  # Kills a VM after some bytes of its large file; at most two connections, so
  # at most 16 MiB that the Hub has sent may be lost.
  defp killed(context, id, hash) do
    before = sent(hash)
    port = Vm.open(Vm.script(context, download(context, id, "max_connections: 2")), [:exit_status])
    # Not after a time: on a busy machine, the download may be over by then, or not begun.
    received = :rand.uniform(56_000_000)
    eventually(fn -> sent(hash) >= before + received or exited?(port) end, 6000)
    if Port.info(port), do: Vm.kill(port)
    eventually(fn -> Enum.all?(requests(hash), &(&1["aborted"] or &1["finished"])) end)

    # The blob is renamed a moment before the snapshot links to it.
    interrupted = Path.wildcard(context.cache <> "/**/blobs/" <> hash) == []
    # Bytes in the sockets' buffers were sent too.
    lost = sent(hash) - before - resumable(context.cache)
    if interrupted, do: assert(lost <= 2 * (8 * 1_048_576 + 4_000_000))
    interrupted
  end

  defp sent(hash), do: Enum.sum(for request <- requests(hash), do: request["bytes_sent"] || 0)

  defp exited?(port), do: Port.info(port) == nil

  # The bytes in the resume record at the end of a partial file, or the length of one without it.
  defp resumable(cache) do
    Enum.sum(
      # It may have been claimed, and so renamed, meanwhile.
      for path <- Path.wildcard(cache <> "/**/*.incomplete"), {:ok, partial} <- [File.read(path)] do
        case Regex.run(~r/"ranges":\[(.*?)\]\}\n/s, partial) do
          nil -> byte_size(partial)
          [_, ranges] -> Regex.scan(~r/\[(\d+),(\d+)\]/, ranges) |> Enum.map(&length_of/1) |> Enum.sum()
        end
      end
    )
  end

  defp length_of([_, first, last]), do: String.to_integer(last) - String.to_integer(first)

  test "VMs without working locks, one of them killed, lose bytes only", context do
    content = large(20_000_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content, "config.json" => "{}"})
    fault(sha256(content), %{kind: "throttle", bytes_per_second: 10_000_000})
    no_locks = Vm.no_locks(context)

    for round <- 1..div(@rounds, 5) do
      context = %{context | cache: Path.join(context.dir, "cache#{round}")}
      command = Vm.script(context, download(context, id))
      before = sent(sha256(content))
      unlucky = Vm.open(command, [:exit_status], no_locks)
      tasks = for _ <- 1..3, do: Task.async(fn -> Vm.run(command, no_locks) end)
      eventually(fn -> sent(sha256(content)) > before end, 1500)
      Process.sleep(:rand.uniform(800))
      if Port.info(unlucky), do: Vm.kill(unlucky)
      for {output, status} <- Task.await_many(tasks, 120_000), do: assert_ok(output, status)
      assert_right(context.cache)
      assert_ok(Vm.run(command, no_locks))
    end
  end

  defp assert_ok({output, status}), do: assert_ok(output, status)
  defp assert_ok(output, status), do: assert({status, output =~ "{:ok"} == {0, true}, output)

  test "a paused writer whose partial file was claimed still publishes", context do
    content = large(20_000_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})
    fault(sha256(content), %{kind: "throttle", bytes_per_second: 5_000_000}, %{times: 1})
    command = Vm.script(context, download(context, id, "max_connections: 1"))
    no_locks = Vm.no_locks(context)
    paused = Vm.open(command, [:exit_status, :stderr_to_stdout], no_locks)

    eventually(fn -> resumable(context.cache) > 5_000_000 end, 1500)
    {:os_pid, pid} = Port.info(paused, :os_pid)
    System.cmd("kill", ["-STOP", to_string(pid)])
    # Without locks, a partial file that was not written to for a while counts as orphaned.
    for partial <- Path.wildcard(context.cache <> "/**/*.incomplete"), do: File.touch!(partial, 0)
    assert_ok(Vm.run(command, no_locks))
    assert_right(context.cache)

    System.cmd("kill", ["-CONT", to_string(pid)])
    assert_ok(Vm.ended(paused))
    assert_right(context.cache)
    assert Path.wildcard(context.cache <> "/**/*.incomplete") == []
  end

  @tag :root
  test "a writer whose partial file another host claimed still publishes", context do
    content = large(20_000_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})
    fault(sha256(content), %{kind: "throttle", bytes_per_second: 4_000_000})
    command = Vm.script(context, download(context, id, "max_connections: 1"))
    ours = Vm.open(command, [:exit_status, :stderr_to_stdout])
    eventually(fn -> resumable(context.cache) > 5_000_000 end, 1500)

    # Its locks have an effect on its own host only.
    locks = Path.join(context.cache, ".locks")
    elsewhere = ["unshare", "--mount", "sh", "-c", ~s(mount -t tmpfs tmpfs "$0" && exec "$@"), locks]
    assert_ok(Vm.run(Vm.below(command, elsewhere)))
    assert Enum.any?(requests(content), &((&1["range"] || "") =~ ~r/^bytes=[1-9]/)), "nothing was taken over"
    assert_right(context.cache)

    assert_ok(Vm.ended(ours))
    assert_right(context.cache)
    assert Path.wildcard(context.cache <> "/**/*.incomplete") == []
  end

  describe "a failing disk" do
    @describetag :root

    test "is full before the first byte or in the middle: an error", context do
      content = large(12_000_000)
      {id, _commit} = repo(context, %{"model.safetensors" => content})
      cache = Path.join(context.dir, "small")
      File.mkdir_p!(cache)
      mounted(["-t", "tmpfs", "-o", "size=16m", "tmpfs", cache])
      opts = opts(context, repo_id: id, filename: "model.safetensors", cache_dir: cache)

      File.write!(Path.join(cache, "filler"), :binary.copy("x", 8_000_000))
      assert {:error, %Error{kind: :io, message: message}} = Download.hf_hub_download(opts)
      assert message =~ ~r/not enough disk space .* the file needs 12\.0 MB, \d\.\d MB free; free some/
      assert requests(content) == []

      File.rm!(Path.join(cache, "filler"))
      fault(sha256(content), %{kind: "throttle", bytes_per_second: 6_000_000}, %{times: 1})
      task = Task.async(fn -> Download.hf_hub_download(opts) end)
      eventually(fn -> resumable(cache) > 0 end)
      File.write(Path.join(cache, "filler"), :binary.copy("x", 14_000_000))
      assert {:error, %Error{kind: :io} = error} = Task.await(task, 30_000)
      assert Exception.message(error) =~ "disk is full"

      File.rm!(Path.join(cache, "filler"))
      assert File.read!(Download.hf_hub_download!(opts)) == content
    end

    test "is read-only: cached files are returned", context do
      {id, commit} = repo(context, %{"a.txt" => "a", "b.txt" => "b"})
      opts = opts(context, repo_id: id, filename: "a.txt")
      path = Download.hf_hub_download!(opts)
      mounted(["--bind", "-o", "ro", context.cache, context.cache])
      System.cmd("mount", ["-o", "remount,bind,ro", context.cache])
      assert Download.hf_hub_download!(opts) == path
      assert Download.hf_hub_download!([revision: commit] ++ opts) == path
      assert Download.hf_hub_download!([local_files_only: true] ++ opts) == path

      assert {:error, %Error{kind: :io, message: message}} =
               Download.hf_hub_download([filename: "b.txt"] ++ opts)

      assert message =~ "read-only"
    end

    test "belongs to another user: readable files are returned", context do
      {id, _commit} = repo(context, %{"a.txt" => "a", "b.txt" => "b"})
      Download.hf_hub_download!(opts(context, repo_id: id, filename: "a.txt"))
      for folder <- [context.dir, context.cache], do: File.chmod!(folder, 0o755)

      body = """
      opts = [repo_id: "#{id}", endpoint: "#{context.endpoint}", cache_dir: "#{context.cache}"]
      {:ok, path} = HfHub.Download.hf_hub_download([filename: "a.txt"] ++ opts)
      IO.puts(File.read!(path))
      {:error, error} = HfHub.Download.hf_hub_download([filename: "b.txt"] ++ opts)
      IO.puts(Exception.message(error))
      """

      nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
      assert {output, 0} = Vm.run(Vm.below(Vm.script(context, body), nobody), [{"HOME", "/nonexistent"}])
      assert output =~ ~r/^a$/m and output =~ "permission denied; choose another folder with :cache_dir"
    end
  end

  describe "a disk error" do
    @describetag :strace

    test "while writing or flushing is returned and nothing is published", context do
      content = large(2_000_000)
      {id, _commit} = repo(context, %{"model.safetensors" => content})

      for call <- ["pwritev", "fdatasync"] do
        assert {output, 0} = Vm.run(Vm.below(Vm.script(context, download(context, id)), failing(call, "EIO")))
        assert output =~ "{:error, #HfHub.Error<:io" or output =~ "kind: :io", output
        assert Path.wildcard(context.cache <> "/**/snapshots/*/model.safetensors") == []
        assert_right(context.cache)
      end

      assert File.read!(Download.hf_hub_download!(opts(context, repo_id: id, filename: "model.safetensors"))) ==
               content
    end

    test "cannot leave a name without content: every file is flushed before it is renamed", context do
      files =
        for n <- 1..60, into: %{"model.safetensors" => large(2_000_000)}, do: {"file#{n}.txt", "content #{n}"}

      {id, _commit} = repo(context, files)
      log = Path.join(context.dir, "calls")

      strace = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-y",
        "-qq",
        "-s",
        "4096",
        "-o",
        log,
        "-e",
        "trace=fdatasync,rename"
      ]

      assert_ok(Vm.run(Vm.below(Vm.script(context, download(context, id)), strace)))
      named = named_after_flush(File.read!(log))
      assert length(named) == length(Path.wildcard(context.cache <> "/models--*/blobs/*"))
      assert length(named) > 60 and named == Enum.filter(named, &match?({_partial, true}, &1))
    end

    # Each partial file that was renamed to a blob, and whether it had been flushed by then.
    defp named_after_flush(log) do
      {named, _state} =
        log
        |> String.split("\n", trim: true)
        |> Enum.flat_map_reduce({%{}, MapSet.new()}, &follow(Regex.run(~r/^(\d+) +(.*)$/, &1), &2))

      named
    end

    defp follow([_line, thread, call], {pending, flushed}) do
      cond do
        found = Regex.run(~r/^fdatasync\(\d+<(.*)>\) += 0/, call) ->
          {[], {pending, MapSet.put(flushed, Enum.at(found, 1))}}

        found = Regex.run(~r/^fdatasync\(\d+<(.*)> <unfinished/, call) ->
          {[], {Map.put(pending, thread, Enum.at(found, 1)), flushed}}

        call =~ ~r/^<\.\.\. fdatasync resumed>.* = 0/ ->
          {[], {pending, MapSet.put(flushed, pending[thread])}}

        found = Regex.run(~r/^rename\("(.*\.incomplete)", ".*\/blobs\//, call) ->
          partial = Enum.at(found, 1)
          {[{partial, MapSet.member?(flushed, partial)}], {pending, flushed}}

        true ->
          {[], {pending, flushed}}
      end
    end

    test "ESTALE costs one more attempt", context do
      content = large(2_000_000)
      {id, _commit} = repo(context, %{"model.safetensors" => content})
      # The third write of each thread.
      stale = failing("pwrite64", "ESTALE:when=3")
      assert_ok(Vm.run(Vm.below(Vm.script(context, download(context, id)), stale)))
      assert_right(context.cache)
    end

    test "without support for locks does not prevent downloads", context do
      for {error, n} <- Enum.with_index(["ENOSYS", "EOPNOTSUPP", "ENOLCK"]) do
        content = large(300_000)
        {id, _commit} = repo(context, %{"model.safetensors" => content})

        assert {output, 0} =
                 Vm.run(Vm.below(Vm.script(context, download(context, id)), failing("flock", error)))

        assert output =~ "{:ok", "#{n}: #{output}"
      end

      assert_right(context.cache)
    end

    # With the filter, a process stops at these calls only, and not at all others.
    defp failing(calls, error) do
      strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=#{calls}"]
      strace ++ ["-e", "inject=#{calls}:error=#{error}"]
    end

    test "without support for links costs disk space only", context do
      files = Map.new(1..6, &{"package#{&1}/__init__.py", "the same"})
      {id, _commit} = repo(context, files)

      assert {output, 0} =
               Vm.run(
                 Vm.below(Vm.script(context, download(context, id)), failing("symlink,symlinkat", "EPERM"))
               )

      assert output =~ "{:ok", output

      for {name, content} <- files do
        assert [path] = Path.wildcard(context.cache <> "/models--*/snapshots/*/" <> name)
        assert File.lstat!(path).type == :regular and File.read!(path) == content
      end
    end
  end
end
