defmodule HfHub.Flows.UploadTest do
  # Uploads with faults: after each, the repository contains the uploaded files, in one commit.
  # On a separate Local Hub, because the URLs of parts do not contain the repository.
  use HfHub.Case, async: true, hub: :own

  alias HfHub.{Commit, Error, LocalHub, Vm}
  alias HfHub.Commit.Operation

  setup do
    control(:delete, "faults")
    # On exit another process runs, which would reach the Local Hub of all other tests.
    hub = endpoint()
    on_exit(fn -> control(:delete, "faults", nil, hub) end)
  end

  defp files, do: %{"a.bin" => large(300_000), "parts.bin" => large(1_500_000), "c.txt" => "c"}

  defp uploaded(context, id, files), do: assert(Map.delete(content(context, id), ".gitattributes") == files)

  defp commits(id), do: Enum.count(titles(id), &(&1 == "Upload folder using hf_hub"))

  @phases [
    preupload: {"/preupload/", "POST"},
    batch: {"/objects/batch", "POST"},
    whole: {"/upload/models/", "PUT"},
    part: {"/part/", "PUT"},
    complete: {"/api/complete_multipart/", "POST"},
    verify: {"/objects/verify", "POST"},
    commit: {"/commit/main", "POST"}
  ]

  @faults [
    "no answer at all": %{kind: "hang_up"},
    "a request that is cut": %{kind: "drop_request", after: 10},
    "an answer that gets lost": %{kind: "lose_answer"},
    "a server error": %{kind: "status", code: 500},
    "a limit on requests": %{kind: "rate_limit", seconds: 0}
  ]

  for {name, fault} <- @faults do
    @fault fault
    test "#{name} in any phase costs a retry, and makes no second commit", context do
      for {_phase, {path, method}} <- @phases do
        id = writable(context)
        files = files()
        fault(path, @fault, %{method: method, times: 1})
        assert {:ok, info} = Commit.upload_folder(folder(context, files), id, write())
        assert [%{"fired" => 1}] = control(:get, "faults")
        control(:delete, "faults")
        uploaded(context, id, files)
        assert commits(id) == 1, path
        assert hd(HfHub.Git.list_commits!(id, write())).id == info.oid
      end
    end
  end

  test "signed URLs that expire during the upload are requested again", context do
    for {path, more} <- [{"/upload/models/", %{times: 1}}, {"/part/", %{skip: 1, times: 2}}] do
      id = writable(context)
      files = files()
      fault(path, %{kind: "expired"}, Map.put(more, :method, "PUT"))

      assert {:ok, _info} =
               Commit.upload_folder(folder(context, files), id, write(max_connections: 1, num_workers: 1))

      uploaded(context, id, files)
      assert length(asked(id, "/objects/batch")) > 1
      control(:delete, "faults")
    end
  end

  test "a wrong part number from the store is detected", context do
    id = writable(context)
    files = files()

    fault("/part/", %{kind: "etag", value: "\"00000000000000000000000000000000\""}, %{method: "PUT", times: 1})

    assert {:ok, _info} = Commit.upload_folder(folder(context, files), id, write())
    uploaded(context, id, files)
    assert length(asked(id, "/objects/batch")) == 2
  end

  test "a permanent failure is an error, and the next call completes the upload", context do
    for {_phase, {path, method}} <- @phases, code <- [500, 507] do
      id = writable(context)
      dir = folder(context, files = files())
      fault(path, %{kind: "status", code: code, body: ~s({"error":"no room left"})}, %{method: method})
      assert {:error, %Error{kind: :server} = error} = Commit.upload_folder(dir, id, write(retries: 1))
      assert error.message =~ "no room left"
      if code == 507, do: assert(error.message =~ "the Hub is out of storage")
      control(:delete, "faults")
      assert commits(id) == 0
      assert {:ok, _info} = Commit.upload_folder(dir, id, write())
      uploaded(context, id, files)
      assert commits(id) == 1
    end
  end

  test "a full disk of the Hub is an error with the Hub's text", context do
    id = writable(context)
    root = Path.join(context.dir, "full")
    # The Hub can write files of at most half a megabyte.
    wrapped = Path.join(context.dir, "hub.sh")
    program = System.get_env("HF_HUB_SERVER_PATH") || Path.expand("target/release/hf_hub_server")
    File.write!(wrapped, "#!/bin/bash\ntrap '' XFSZ\nulimit -f 500\nexec #{program} \"$@\"\n")
    File.chmod!(wrapped, 0o755)
    {:ok, hub} = LocalHub.start_link(root: root, executable: wrapped)
    LocalHub.command!(hub, ["user", "add", "reader", "--token", token()])
    LocalHub.import_folder!(hub, folder(context, %{".gitattributes" => "*.bin filter=lfs\n"}), id)
    opts = write(endpoint: LocalHub.endpoint(hub), retries: 1)

    assert {:error, %Error{kind: :server} = error} =
             Commit.upload_file({:binary, large(900_000)}, "a.bin", id, opts)

    assert error.message =~ "cannot upload \"a.bin\"" and error.message =~ "no room left"
    assert {:ok, _info} = Commit.upload_file({:binary, large(100_000)}, "b.bin", id, opts)
    LocalHub.stop(hub)
  end

  test "limits of the Hub are errors with the Hub's text", context do
    args = ["--max-file-size", "500000", "--private-quota", "300000"]
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "limits"), args: args)
    LocalHub.command!(hub, ["user", "add", "reader", "--token", token()])
    empty = folder(context, %{".gitattributes" => "*.bin filter=lfs\n"})
    for id <- ["reader/open", "reader/secret"], do: LocalHub.import_folder!(hub, empty, id)
    LocalHub.command!(hub, ["repo", "set", "reader/secret", "--private"])
    opts = write(endpoint: LocalHub.endpoint(hub), retries: 1)

    assert {:error, %Error{} = error} =
             Commit.upload_file({:binary, large(600_000)}, "a.bin", "reader/open", opts)

    assert error.path == "a.bin" and error.message =~ ~s(the Hub rejected "a.bin": )

    assert {:error, %Error{} = error} =
             Commit.upload_file({:binary, large(400_000)}, "a.bin", "reader/secret", opts)

    assert error.message =~ ~r/quota|storage/i
    assert {:ok, _info} = Commit.upload_file({:binary, large(200_000)}, "a.bin", "reader/secret", opts)
    LocalHub.stop(hub)
  end

  test "a file that changes during its upload is an error and makes no commit", context do
    for {name, path} <- [
          {"a.bin", "/objects/batch"},
          {"parts.bin", "/objects/batch"},
          {"c.txt", "/objects/batch"}
        ] do
      id = writable(context)
      dir = folder(context, files())
      fault(path, %{kind: "delay", ms: 1500}, %{times: 1})
      task = Task.async(fn -> Commit.upload_folder(dir, id, write()) end)
      eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end)
      File.write!(Path.join(dir, name), String.duplicate("x", File.stat!(Path.join(dir, name)).size))
      assert {:error, %Error{kind: :checksum_mismatch} = error} = Task.await(task, 30_000)
      assert error.message =~ "#{name}` changed while it was uploaded"
      assert commits(id) == 0
      control(:delete, "faults")
    end
  end

  test "the token is sent to the Hub only", context do
    id = writable(context)
    Commit.upload_folder!(folder(context, files()), id, write())
    assert control(:get, "connections")["cdn"]["authorization_refused"] == 0
    puts = for %{"method" => "PUT", "origin" => "cdn"} = request <- control(:get, "requests"), do: request
    assert puts != []
    refute Enum.any?(puts, & &1["authorization"])
    assert Enum.all?(asked(id, "/commit/") ++ asked(id, "/objects/verify"), & &1["authorization"])
  end

  test "an upload stops when its owner exits", context do
    id = writable(context)
    dir = folder(context, files())
    fault("/part/", %{kind: "hang"})
    opts = write()
    {pid, monitor} = spawn_monitor(fn -> Commit.upload_folder(dir, id, opts) end)
    hanging? = fn request -> request["path"] =~ "/part/" and not request["finished"] end
    eventually(fn -> Enum.any?(control(:get, "requests"), hanging?) end)
    open = sockets()
    Process.exit(pid, :kill)
    assert_receive {:DOWN, ^monitor, :process, ^pid, :killed}
    # Observed on the client: the Hub does not watch a connection whose request it does not read.
    eventually(fn -> sockets() < open end)
    assert commits(id) == 0
  end

  defp sockets do
    links = for name <- File.ls!("/proc/self/fd"), do: File.read_link("/proc/self/fd/#{name}")
    Enum.count(links, &match?({:ok, "socket:" <> _}, &1))
  end

  test "the upload of a killed VM is resumed: nothing is sent or committed twice", context do
    # Two commits: the first one has 250 files.
    files =
      for n <- 1..300,
          into: %{"one.bin" => large(200_000), "two.bin" => large(300_000)},
          do: {"f/#{n}.txt", "#{n}"}

    dir = folder(context, files)

    for {path, skip} <- [{"/commit/main", 0}, {"/commit/main", 1}, {"/upload/models/", 1}] do
      id = writable(context)

      command =
        Vm.script(context, """
        HfHub.Commit.upload_large_folder("#{dir}", "#{id}", endpoint: "#{endpoint()}", token: "#{token()}", num_workers: 1)
        """)

      fault(path, %{kind: "hang"}, %{skip: skip, method: if(path =~ "commit", do: "POST", else: "PUT")})
      port = Vm.open(command, [:exit_status, :stderr_to_stdout])
      eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end, 1500)
      Vm.kill(port)
      control(:delete, "faults")
      made = length(titles(id))
      assert {:ok, _commits} = Commit.upload_large_folder(dir, id, write())
      uploaded(context, id, files)
      after_all = titles(id)
      assert length(after_all) > made
      # No large file was received twice, except the one in progress, whose response may have been lost.
      for name <- ["one.bin", "two.bin"] do
        taken = Enum.filter(requests(files[name]), &(&1["method"] == "PUT" and &1["status"] == 200))
        assert length(Enum.filter(taken, &(&1["path"] =~ id))) <= 1
      end

      assert {:ok, []} = Commit.upload_large_folder(dir, id, write())
      assert titles(id) == after_all
    end

    ledger = Path.join(dir, ".cache/huggingface/upload/hf_hub.jsonl")
    assert File.read!(ledger) =~ ~s("path":"one.bin")
  end

  test "a partly uploaded large file is resumed with its missing parts", context do
    files = %{"parts.bin" => large(3_000_000)}
    dir = folder(context, files)
    kept = Path.join(dir, ".cache/huggingface/upload/parts")

    for again <- [:at_once, 404, 409] do
      control(:delete, "faults")
      id = writable(context)
      opts = inspect(endpoint: endpoint(), token: token(), num_workers: 1, max_connections: 1)
      command = Vm.script(context, ~s|HfHub.Commit.upload_folder("#{dir}", "#{id}", #{opts})|)
      fault("/part/", %{kind: "hang"}, %{skip: 3, method: "PUT"})
      seen = length(parts())
      port = Vm.open(command, [:exit_status, :stderr_to_stdout])
      eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end, 1500)
      Vm.kill(port)
      control(:delete, "faults")
      assert [journal] = Path.wildcard(kept <> "/*")
      assert Bitwise.band(File.stat!(journal).mode, 0o777) == 0o600
      refute File.read!(journal) =~ token()
      assert length(parts()) - seen == 3

      # The response of a store for an unknown upload id.
      if again != :at_once,
        do: fault("/part/", %{kind: "status", code: again}, %{method: "PUT", times: 1})

      me = self()
      progress = fn progress -> send(me, {:resumed, progress.bytes_resumed, progress.bytes_done}) end
      assert {:ok, _info} = Commit.upload_folder(dir, id, write(progress: progress))
      uploaded(context, id, files)
      assert Path.wildcard(kept <> "/*") == []
      assert commits(id) == 1

      if again == :at_once do
        assert length(parts()) - seen == 8
        assert [_first, _once] = asked(id, "/objects/batch")
        assert_received {:resumed, 1_200_000, _}
      else
        assert [_first, _once, _again] = asked(id, "/objects/batch")
      end
    end
  end

  test "recorded state cannot redirect contents or the token elsewhere", context do
    for {from, to} <- [
          {~r{http://[^/]+/part/}, "http://127.0.0.1:9/part/"},
          {~r{"complete":"http://[^/]+}, ~s("complete":"http://127.0.0.1:9)},
          {~r/"links"/, ~s("verify":"#{endpoint()}/api/models/ID/branch/other","links")}
        ] do
      id = writable(context)
      dir = folder(context, files = %{"parts.bin" => large(1_500_000)})
      [journal] = interrupt(dir, id)
      text = File.read!(journal)
      planted = String.replace(text, from, String.replace(to, "ID", id))
      assert planted != text
      File.write!(journal, planted)
      assert {:ok, _info} = Commit.upload_folder(dir, id, write())
      uploaded(context, id, files)
      assert asked(id, "/branch/") == []
    end
  end

  test "files that the Hub has from another upload are not sent again", context do
    id = writable(context)
    dir = folder(context, files = %{"parts.bin" => large(3_000_000)})
    interrupt(dir, id)
    HfHub.Git.create_branch!(id, "other", write())
    file = Path.join(dir, "parts.bin")
    assert {:ok, _info} = Commit.upload_file({:path, file}, "parts.bin", id, write(revision: "other"))
    seen = length(parts())
    assert {:ok, _info} = Commit.upload_folder(dir, id, write())
    uploaded(context, id, files)
    assert length(parts()) == seen
    assert Path.wildcard(Path.join(dir, ".cache/huggingface/upload/parts/*")) == []
  end

  test "uploads of one folder to two repositories record separate parts", context do
    {one, two} = {writable(context), writable(context)}
    dir = folder(context, files = %{"parts.bin" => large(3_000_000)})
    [_of_two] = interrupt(dir, two)
    assert {:ok, _info} = Commit.upload_folder(dir, one, write())
    seen = length(parts())
    assert {:ok, _info} = Commit.upload_folder(dir, two, write())
    assert length(parts()) - seen == 6
    uploaded(context, one, files)
    uploaded(context, two, files)
    assert Path.wildcard(Path.join(dir, ".cache/huggingface/upload/parts/*")) == []
  end

  test "the state folder has a .gitignore even if nothing is uploaded", context do
    dir = folder(context, %{"a.txt" => "a"})
    assert {:ok, _info} = Commit.upload_folder(dir, writable(context), write(allow_patterns: "*.none"))
    assert File.read!(Path.join(dir, ".cache/huggingface/.gitignore")) == "*"
  end

  # Kills an upload after two parts, and returns its recorded state.
  defp interrupt(dir, id) do
    fault("/part/", %{kind: "hang"}, %{skip: 2, method: "PUT"})
    opts = write(num_workers: 1, max_connections: 1)
    owner = spawn(fn -> Commit.upload_folder(dir, id, opts) end)
    eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end, 1500)
    Process.exit(owner, :kill)
    control(:delete, "faults")
    Path.wildcard(Path.join(dir, ".cache/huggingface/upload/parts/*"))
  end

  # The URLs of parts do not contain the repository.
  defp parts do
    for %{"method" => "PUT", "status" => 200, "path" => "/part/" <> _} = part <- control(:get, "requests"),
        do: part
  end

  test "recorded state of another upload is ignored", context do
    content = large(1_500_000)
    dir = folder(context, %{"parts.bin" => content})
    kept = Path.join(dir, ".cache/huggingface/upload/parts")
    File.mkdir_p!(kept)

    for text <- ["", "{}", String.duplicate("x", 100_000), ~s({"target":"x","size":1500000,"part_size":0})] do
      id = writable(context)
      target = binary_part(sha256("#{endpoint()}/model/#{id}"), 0, 16)
      File.write!(Path.join(kept, "#{sha256(content)}-#{target}.jsonl"), text)
      assert {:ok, _info} = Commit.upload_folder(dir, id, write())
      assert content(context, id)["parts.bin"] == content
      assert File.ls!(kept) == []
    end

    # Nothing is written through a link.
    outside = Path.join(context.dir, "outside")
    File.mkdir_p!(outside)
    File.rm_rf!(kept)
    File.ln_s!(outside, kept)
    id = writable(context)
    assert {:ok, _info} = Commit.upload_folder(dir, id, write())
    assert File.ls!(outside) == []
  end

  test "two uploads of one folder at once make one commit", context do
    id = writable(context)
    dir = folder(context, files = files())
    fault("/commit/main", %{kind: "delay", ms: 500}, %{times: 1})
    opts = inspect(endpoint: endpoint(), token: token())
    command = Vm.script(context, ~s|{:ok, _} = HfHub.Commit.upload_folder("#{dir}", "#{id}", #{opts})|)
    port = Vm.open(command, [:exit_status, :stderr_to_stdout])
    eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end, 1500)
    me = self()
    waited = fn progress -> send(me, {:seen, progress.activity}) end
    assert {:ok, info} = Commit.upload_folder(dir, id, write(progress: waited))
    assert {_output, 0} = Vm.ended(port)
    assert_received {:seen, :waiting_for_lock}
    assert hd(HfHub.Git.list_commits!(id, write())).id == info.oid
    assert commits(id) == 1
    uploaded(context, id, files)
  end

  test "errors that only the user can resolve contain advice", context do
    for {code, hint} <- [
          {402, "the storage of this account is exhausted, see its billing page"},
          {413, "the request is too large: upload fewer files at a time"}
        ] do
      id = writable(context)
      dir = folder(context, files = files())
      fault("/commit/main", %{kind: "status", code: code, body: ~s({"error":"no more"})}, %{times: 1})
      assert {:error, %Error{status: ^code} = error} = Commit.upload_folder(dir, id, write())
      assert error.message =~ "no more" and error.message =~ hint
      control(:delete, "faults")
      assert {:ok, _info} = Commit.upload_folder(dir, id, write())
      uploaded(context, id, files)
    end
  end

  test "a commit that is too large for the Hub is split", context do
    id = writable(context)
    files = for n <- 1..30, into: %{}, do: {"#{n}.txt", "#{n}"}
    fault("/commit/main", %{kind: "status", code: 413}, %{times: 1})
    assert {:ok, _info} = Commit.upload_folder(folder(context, files), id, write())
    uploaded(context, id, files)
    assert length(asked(id, "/commit/main")) == 3
  end

  test "a commit that succeeded although the VM was killed is not made again", context do
    id = writable(context)
    dir = folder(context, files = files())
    opts = inspect(endpoint: endpoint(), token: token())
    command = Vm.script(context, ~s|HfHub.Commit.upload_folder("#{dir}", "#{id}", #{opts})|)
    fault("/commit/main", %{kind: "delay", ms: 3000}, %{times: 1})
    port = Vm.open(command, [:exit_status, :stderr_to_stdout])
    eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end, 1500)
    Process.sleep(1000)
    Vm.kill(port)
    assert {:ok, _info} = Commit.upload_folder(dir, id, write())
    Process.sleep(2500)
    uploaded(context, id, files)
    assert commits(id) == 1
  end

  test "ten concurrent writers of one repository all succeed", context do
    id = writable(context)

    results =
      1..10
      |> Task.async_stream(&Commit.upload_file({:binary, "#{&1}"}, "#{&1}.bin", id, write()),
        max_concurrency: 10,
        timeout: 60_000
      )
      |> Enum.map(fn {:ok, result} -> result end)

    assert Enum.all?(results, &match?({:ok, _info}, &1)), inspect(results)
    assert map_size(content(context, id)) == 11
    assert results |> Enum.map(fn {:ok, info} -> info.oid end) |> Enum.uniq() |> length() == 10
  end

  test "operations of all sorts from memory leave no temporary files", context do
    id = writable(context)
    spools = fn -> Path.wildcard(Path.join(System.tmp_dir!(), "hf_hub_upload_#{System.pid()}_*")) end
    stream = Stream.map(1..20, fn n -> if n == 20, do: raise("broken"), else: "#{n}" end)
    assert_raise RuntimeError, "broken", fn -> Commit.upload_file({:stream, stream}, "x.bin", id, write()) end
    operations = for n <- 1..3, do: Operation.add("#{n}.bin", {:stream, [large(1000)]})
    broken = operations ++ [Operation.add("x.bin", {:stream, stream})]
    assert_raise RuntimeError, "broken", fn -> Commit.create(id, broken, write(commit_message: "broken")) end
    Commit.create!(id, operations, write(commit_message: "streams"))
    # Other tests have streams, too.
    eventually(fn -> spools.() == [] end)
  end
end
