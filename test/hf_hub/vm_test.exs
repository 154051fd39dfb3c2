defmodule HfHub.VmTest do
  # Tests that require a separate VM: stop, kill, purged code.
  use HfHub.Case, async: false

  alias HfHub.Vm

  defp stalled(context) do
    content = large(300_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})
    fault(sha256(content), %{kind: "stall", after: 100_000})
    {id, content}
  end

  defp downloads(context, id, count) do
    """
    for n <- 1..#{count} do
      spawn(fn ->
        HfHub.Download.hf_hub_download(repo_id: "#{id}", filename: "model.safetensors", download_timeout: 60_000,
          endpoint: "#{context.endpoint}", cache_dir: Path.join("#{context.dir}", "vm\#{n}"))
      end)
    end
    """
  end

  test "System.stop during 16 transfers ends at once and cleanly", context do
    {id, content} = stalled(context)

    command =
      Vm.script(context, """
      #{downloads(context, id, 16)}
      IO.gets("")
      IO.puts("stopping")
      System.stop(0)
      Process.sleep(:infinity)
      """)

    port = Vm.open(command, [:exit_status, :stderr_to_stdout])
    eventually(fn -> length(requests(content)) == 16 end, 1500)
    Port.command(port, "\n")
    assert_receive {^port, {:exit_status, status}}, 10_000
    assert status == 0
    # It did not wait for the transfers: their first timeout would have caused more requests.
    assert length(requests(content)) == 16
  end

  test "a killed VM leaves a partial file that the next one resumes, and no lock", context do
    {id, content} = stalled(context)
    command = Vm.script(context, downloads(context, id, 1) <> "Process.sleep(:infinity)")
    port = Vm.open(command, [:exit_status])
    cache = Path.join(context.dir, "vm1")

    eventually(
      fn -> Path.wildcard(cache <> "/**/*.incomplete") |> Enum.any?(&(File.stat!(&1).size > 50_000)) end,
      1500
    )

    Vm.kill(port)
    eventually(fn -> Enum.all?(requests(content), & &1["aborted"]) end)

    control(:delete, "faults")
    opts = opts(context, repo_id: id, filename: "model.safetensors", cache_dir: cache)
    assert {:error, %{kind: :not_cached}} = HfHub.Download.hf_hub_download([local_files_only: true] ++ opts)
    assert File.read!(HfHub.Download.hf_hub_download!(opts)) == content
    assert %{"status" => 206, "range" => "bytes=" <> _} = List.last(requests(content))
  end

  @tag :proc
  test "memory use does not grow with the file", context do
    id = "org/huge-#{System.unique_integer([:positive])}-#{System.pid()}"
    source = Path.join(context.dir, "huge")
    File.mkdir_p!(source)
    # A sparse file: only the size matters.
    {:ok, file} = :file.open(Path.join(source, "model.safetensors"), [:write, :raw])
    {:ok, _} = :file.position(file, 150_000_000)
    :ok = :file.truncate(file)
    :ok = :file.close(file)
    File.write!(Path.join(source, "tiny.bin"), large(300_000))
    HfHub.LocalHub.import_folder!(hub(), source, id)

    command =
      Vm.script(context, """
      opts = [repo_id: "#{id}", endpoint: "#{context.endpoint}", cache_dir: "#{context.cache}"]
      peak = fn filename ->
        {:ok, _path} = HfHub.Download.hf_hub_download([filename: filename] ++ opts)
        [_, kib] = Regex.run(~r/VmHWM:\\s+(\\d+) kB/, File.read!("/proc/self/status"))
        String.to_integer(kib)
      end
      tiny = peak.("tiny.bin")
      IO.puts("grown by \#{peak.("model.safetensors") - tiny} KiB")
      """)

    assert {output, 0} = Vm.run(command)
    assert [_, grown] = Regex.run(~r/grown by (\d+) KiB/, output)
    assert String.to_integer(grown) < 64 * 1024
  end

  test "code can be purged and loaded again while jobs run", context do
    {id, _content} = stalled(context)

    command =
      Vm.script(context, """
      Process.flag(:trap_exit, true)
      for _round <- 1..20 do
        pids = #{downloads(context, id, 4)}
        waits? = &match?([current_function: {HfHub.Native, _, _}, status: :waiting], Process.info(&1, [:current_function, :status]))
        ready? = fn ready? -> Enum.all?(pids, &(waits?.(&1) or not Process.alive?(&1))) or (Process.sleep(5) && ready?.(ready?)) end
        # A process that called a function of the deleted module would load it beside this one.
        ready?.(ready?)
        :code.delete(HfHub.Native.Nif)
        :code.purge(HfHub.Native.Nif)
        {:module, _} = Code.ensure_loaded(HfHub.Native.Nif)
        {:ok, _} = HfHub.Download.compute_sha256(__ENV__.file)
      end
      IO.puts("alive")
      """)

    {output, status} = Vm.run(command)
    assert {status, output =~ "alive"} == {0, true}, output
  end

  test "a library that cannot be loaded raises with the reason", context do
    folder = Path.join(context.dir, "hf_hub/priv/native")
    File.mkdir_p!(folder)
    File.cp_r!(Path.join(:code.lib_dir(:hf_hub), "ebin"), Path.join(context.dir, "hf_hub/ebin"))
    File.write!(Path.join(folder, "hf_hub_nif.so"), "no library")
    body = ~s|HfHub.Download.compute_sha256("/dev/null")|
    args = ["-pa", Path.join(context.dir, "hf_hub/ebin"), "-e", body]
    assert {output, 1} = Vm.run({System.find_executable("elixir"), args})
    assert output =~ "cannot load the native library of hf_hub: " and output =~ "mix compile --force"
  end

  test "the Local Hub ends with its VM, even when that is killed", context do
    command =
      Vm.script(context, """
      {:ok, hub} = HfHub.LocalHub.start_link(root: "#{context.dir}/hub")
      IO.puts("endpoint " <> HfHub.LocalHub.endpoint(hub))
      Process.sleep(:infinity)
      """)

    port = Vm.open(command, line: 1000)
    assert_receive {^port, {:data, {:eol, "endpoint http://" <> host}}}, 10_000
    [address, number] = String.split(host, ":")
    connect = fn -> :gen_tcp.connect(String.to_charlist(address), String.to_integer(number), []) end
    assert {:ok, _socket} = connect.()
    Vm.kill(port)
    eventually(fn -> match?({:error, :econnrefused}, connect.()) end)
  end

  @tag timeout: 180_000
  test "500 concurrent calls succeed with a limit of 256 open files", context do
    {id, _commit} = repo(context, Map.new(1..500, &{"#{&1}.txt", "file #{&1}"}))
    {small, _commit} = repo(%{context | dir: Path.join(context.dir, "small")}, %{"a.txt" => "1"})

    command =
      Vm.script(context, """
      hub = [endpoint: "#{context.endpoint}"]
      opts = [repo_id: "#{id}", cache_dir: "#{context.cache}"] ++ hub
      download = fn n, more -> HfHub.Download.hf_hub_download([filename: "\#{n}.txt"] ++ more ++ opts) end

      calls = [
        {500, &download.(&1, [])},
        {300, &download.(&1, local_dir: "#{context.dir}/local")},
        {300, fn _n -> HfHub.Api.model_info("#{small}", hub) end},
        # The files that are cached by now.
        {500, &download.(&1, [])}
      ]

      for {count, call} <- calls do
        1..count
        |> Task.async_stream(call, max_concurrency: 500, timeout: 120_000, ordered: false)
        |> Enum.frequencies_by(fn
          {:ok, {:ok, _value}} -> :ok
          {:ok, {:error, error}} -> Exception.message(error)
        end)
        |> IO.inspect()
      end
      """)

    assert {output, 0} = context |> few_files(command) |> Vm.run()
    assert output == "%{ok: 500}\n%{ok: 300}\n%{ok: 300}\n%{ok: 500}\n"
  end

  defp few_files(context, command) do
    script = Path.join(context.dir, "few_files.sh")
    File.write!(script, "ulimit -n 256\nexec \"$@\"\n")
    Vm.below(command, ["sh", script])
  end
end
