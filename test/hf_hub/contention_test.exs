defmodule HfHub.ContentionTest do
  # Many callers, several VMs, locks that do nothing, disks that fail: every visible file is right.
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

  # Every file that a reader can see hashes to the name of its blob.
  defp assert_right(cache) do
    for path <- Path.wildcard(cache <> "/models--*/snapshots/*/**", match_dot: true), File.regular?(path) do
      assert_hash(path, Path.basename(File.read_link!(path)))
    end

    for path <- Path.wildcard(cache <> "/models--*/blobs/*"), not String.ends_with?(path, ".incomplete") do
      assert_hash(path, Path.basename(path))
    end
  end

  defp assert_hash(path, etag) do
    content = File.read!(path)
    git = :crypto.hash(:sha, ["blob #{byte_size(content)}\0", content]) |> Base.encode16(case: :lower)
    assert etag in [sha256(content), git], "#{path} is wrong"
  end

  test "fifty callers of one cold file, again and again", context do
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

  test "a VM killed at any moment leaves nothing wrong, and little is lost", context do
    # Two at a time: most of it is waiting.
    rounds = Enum.chunk_every(1..@rounds, div(@rounds, 2))
    resumed = rounds |> Task.async_stream(&kill_again_and_again(context, &1), timeout: :infinity)
    interrupted = for {:ok, rounds} <- resumed, bytes when bytes != nil <- rounds, do: bytes
    assert length(interrupted) > @rounds / 3
    # Not one of them began at zero, but for those that were killed before 24 MB had come.
    assert Enum.count(interrupted, &(&1 > 0)) > length(interrupted) / 3
  end

  defp kill_again_and_again(context, rounds) do
    content = large(64_000_000)
    files = Map.new(1..20, &{"data/#{&1}.txt", String.duplicate("#{&1}", &1)})
    {id, _commit} = repo(context, Map.put(files, "model.safetensors", content))
    fault(sha256(content), %{kind: "throttle", bytes_per_second: 40_000_000})

    for round <- rounds do
      cache = Path.join(context.dir, "cache#{round}")
      one_killed(%{context | cache: cache}, id, content, opts(context, repo_id: id))
    end
  end

  # Bytes that the next call took over, or nil if the VM died after its large file was whole.
  defp one_killed(context, id, content, opts) do
    # By its hash: making that again at every look would take longer than the download.
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
    assert resumed >= left, "#{left} bytes were noted, #{resumed} were used"
    assert Path.wildcard(context.cache <> "/**/*.incomplete") == []
    File.rm_rf!(context.cache)
    if interrupted, do: resumed
  end

  # Kills a VM some time after its large file has begun to arrive; at most two connections, so
  # at most 16 MiB of what the Hub had sent may be lost.
  defp killed(context, id, hash) do
    before = sent(hash)
    port = Vm.open(Vm.script(context, download(context, id, "max_connections: 2")), [:exit_status])
    eventually(fn -> sent(hash) > before or exited?(port) end, 1500)
    Process.sleep(:rand.uniform(1200))
    if Port.info(port), do: Vm.kill(port)
    eventually(fn -> Enum.all?(requests(hash), &(&1["aborted"] or &1["finished"])) end)

    # The content has its name a moment before the snapshot shows it.
    interrupted = Path.wildcard(context.cache <> "/**/blobs/" <> hash) == []
    # What was in the sockets' buffers had been sent, too.
    lost = sent(hash) - before - resumable(context.cache)
    if interrupted, do: assert(lost <= 2 * (8 * 1_048_576 + 4_000_000))
    interrupted
  end

  defp sent(hash), do: Enum.sum(for request <- requests(hash), do: request["bytes_sent"] || 0)

  defp exited?(port), do: Port.info(port) == nil

  # What the note at the end of a partial tells of, or the length of one without.
  defp resumable(cache) do
    Enum.sum(
      # One that has just been claimed has another name by now.
      for path <- Path.wildcard(cache <> "/**/*.incomplete"), {:ok, partial} <- [File.read(path)] do
        case Regex.run(~r/"ranges":\[(.*?)\]\}\n/s, partial) do
          nil -> byte_size(partial)
          [_, ranges] -> Regex.scan(~r/\[(\d+),(\d+)\]/, ranges) |> Enum.map(&length_of/1) |> Enum.sum()
        end
      end
    )
  end

  defp length_of([_, first, last]), do: String.to_integer(last) - String.to_integer(first)

  test "VMs whose locks do nothing, and of which one is killed, lose bytes and nothing else", context do
    content = large(20_000_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content, "config.json" => "{}"})
    fault(sha256(content), %{kind: "throttle", bytes_per_second: 10_000_000})
    no_locks = Vm.no_locks(context)

    for round <- 1..3 do
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

  test "a writer that was paused and robbed still brings its file", context do
    content = large(20_000_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})
    fault(sha256(content), %{kind: "throttle", bytes_per_second: 5_000_000}, %{times: 1})
    command = Vm.script(context, download(context, id, "max_connections: 1"))
    no_locks = Vm.no_locks(context)
    paused = Vm.open(command, [:exit_status, :stderr_to_stdout], no_locks)

    eventually(fn -> resumable(context.cache) > 5_000_000 end, 1500)
    {:os_pid, pid} = Port.info(paused, :os_pid)
    System.cmd("kill", ["-STOP", to_string(pid)])
    # Without locks, what has not been touched for a while is taken for dead.
    for partial <- Path.wildcard(context.cache <> "/**/*.incomplete"), do: File.touch!(partial, 0)
    assert_ok(Vm.run(command, no_locks))
    assert_right(context.cache)

    System.cmd("kill", ["-CONT", to_string(pid)])
    assert_ok(Vm.ended(paused))
    assert_right(context.cache)
    assert Path.wildcard(context.cache <> "/**/*.incomplete") == []
  end

  @tag :root
  test "a writer that another host takes for dead still brings its file", context do
    content = large(20_000_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})
    fault(sha256(content), %{kind: "throttle", bytes_per_second: 4_000_000})
    command = Vm.script(context, download(context, id, "max_connections: 1"))
    ours = Vm.open(command, [:exit_status, :stderr_to_stdout])
    eventually(fn -> resumable(context.cache) > 5_000_000 end, 1500)

    # Its locks exclude whoever sees them, and nobody here does.
    locks = Path.join(context.cache, ".locks")
    elsewhere = ["unshare", "--mount", "sh", "-c", ~s(mount -t tmpfs tmpfs "$0" && exec "$@"), locks]
    assert_ok(Vm.run(Vm.below(command, elsewhere)))
    assert Enum.any?(requests(content), &((&1["range"] || "") =~ ~r/^bytes=[1-9]/)), "nothing was taken over"
    assert_right(context.cache)

    assert_ok(Vm.ended(ours))
    assert_right(context.cache)
    assert Path.wildcard(context.cache <> "/**/*.incomplete") == []
  end

  describe "a disk that fails" do
    @describetag :root

    test "is full before the first byte, or in the middle, and is said so", context do
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

    test "is read-only, and what it has is read", context do
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

    test "belongs to somebody else, and what may be read is read", context do
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

    defp mounted(args) do
      {output, status} = System.cmd("mount", args, stderr_to_stdout: true)
      assert status == 0, output
      on_exit(fn -> System.cmd("umount", ["-l", List.last(args)]) end)
    end
  end

  describe "an error of the disk" do
    @describetag :strace

    test "while writing or flushing is an error and publishes nothing", context do
      content = large(2_000_000)
      {id, _commit} = repo(context, %{"model.safetensors" => content})

      for call <- ["pwrite64", "fdatasync"] do
        assert {output, 0} = Vm.run(Vm.below(Vm.script(context, download(context, id)), failing(call, "EIO")))
        assert output =~ "{:error, #HfHub.Error<:io" or output =~ "kind: :io", output
        assert Path.wildcard(context.cache <> "/**/snapshots/*/model.safetensors") == []
        assert_right(context.cache)
      end

      assert File.read!(Download.hf_hub_download!(opts(context, repo_id: id, filename: "model.safetensors"))) ==
               content
    end

    test "that says another host has removed the file costs one more attempt", context do
      content = large(2_000_000)
      {id, _commit} = repo(context, %{"model.safetensors" => content})
      # The third write of each thread.
      stale = failing("pwrite64", "ESTALE:when=3")
      assert_ok(Vm.run(Vm.below(Vm.script(context, download(context, id)), stale)))
      assert_right(context.cache)
    end

    test "that knows no locks is lived with", context do
      for {error, n} <- Enum.with_index(["ENOSYS", "EOPNOTSUPP", "ENOLCK"]) do
        content = large(300_000)
        {id, _commit} = repo(context, %{"model.safetensors" => content})

        assert {output, 0} =
                 Vm.run(Vm.below(Vm.script(context, download(context, id)), failing("flock", error)))

        assert output =~ "{:ok", "#{n}: #{output}"
      end

      assert_right(context.cache)
    end

    defp failing(calls, error) do
      strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=#{calls}"]
      strace ++ ["-e", "inject=#{calls}:error=#{error}"]
    end

    test "that knows no links costs room and nothing else", context do
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
