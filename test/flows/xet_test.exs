defmodule HfHub.Flows.XetTest do
  # Uploads and downloads by Xet on a separate Local Hub, with and without faults of its storage.
  use HfHub.Case, async: true, hub: :own

  import ExUnit.CaptureLog
  import HfHub.XetStorage

  alias HfHub.{Commit, Error, LocalHub, Vm}
  alias HfHub.Commit.Operation

  setup :watch

  describe "an upload" do
    test "of a folder goes to Xet storage, from where both ways download it", context do
      id = writable(context)
      files = %{"a.bin" => large(300_000), "b.bin" => large(2_000_000), "c.txt" => "c"}
      dir = folder(context, files)
      assert {:ok, %{committed?: true}} = Commit.upload_folder(dir, id, xet())
      assert asked(id, "/objects/batch") == []
      assert [_token] = asked(id, "xet-write-token")

      for xet <- [true, false, :auto] do
        assert Map.delete(content(context, id, xet: xet), ".gitattributes") == files
        assert downloaded(context, id, xet: xet) == files["a.bin"]
      end

      about = [repo_id: id, filename: "a.bin", endpoint: context.endpoint]

      assert %{xet_hash: <<_::binary-64>>, refresh_url: "http" <> _ = url} =
               HfHub.Download.file_metadata!(about)

      assert url =~ "/#{id}/xet-read-token/"

      assert {:ok, %{committed?: false}} = Commit.upload_folder(dir, id, xet())
    end

    test "takes binaries and streams, and sends no parts that the storage has", context do
      content = large(1_500_000)
      id = stored(context, content)
      before = sent(context)
      parts = for <<part::binary-size(100_000) <- content>>, do: part

      adds = [
        Operation.add("b.bin", {:binary, content}),
        Operation.add("s.bin", {:stream, parts}),
        Operation.add("z.bin", {:binary, [large(50_000), content]})
      ]

      me = self()

      assert {:ok, _info} =
               Commit.create(id, adds, xet(commit_message: "Add", progress: &send(me, {:progress, &1})))

      %{"b.bin" => ^content, "s.bin" => ^content, "z.bin" => <<_::400_000, ^content::binary>>} =
        content(context, id)

      sent = sent(context) - before
      assert sent < 500_000
      last = last_progress()
      assert {last.activity, last.bytes_done, last.bytes_total} == {:done, 4_550_000, 4_550_000}
      assert last.bytes_deduplicated > 4_000_000
      assert_in_delta last.bytes_received, sent, 50_000
    end

    test "of a changed file sends the changed parts only", context do
      content = large(3_000_000)
      id = stored(context, content)
      first = sent(context)
      <<head::binary-size(1_000_000), tail::binary>> = content
      changed = head <> "inserted" <> tail
      assert {:ok, _info} = Commit.upload_file({:binary, changed}, "a.bin", id, xet())
      assert sent(context) - first < 1_000_000
      assert downloaded(context, id, xet: true) == changed
    end

    test "of an unchanged file makes no commit", context do
      content = large(300_000)
      id = stored(context, content)
      {result, _log} = with_log(fn -> Commit.upload_file({:binary, content}, "a.bin", id, xet()) end)
      assert {:ok, %{committed?: false}} = result
    end

    test "uses the store of large files if that is wanted, or if the Hub has no Xet", context do
      id = writable(context)
      assert {:ok, _info} = Commit.upload_file({:binary, large(50_000)}, "a.bin", id, write(xet: false))
      assert asked(id, "xet-write-token") == []

      id = writable(context)
      fault("#{id}/xet-write-token", %{kind: "status", code: 404})
      for _ <- 1..2, do: assert({:ok, _} = Commit.upload_file({:binary, large(50_000)}, "a.bin", id, xet()))
      assert [_remembered] = asked(id, "xet-write-token")
      assert length(asked(id, "/objects/batch")) == 2
      assert objects(context) == []
    end

    test "falls back to the store of large files if the storage refuses it", context do
      for {path, code} <- [{"/v1/xorb", 403}, {"/shards", 400}] do
        id = writable(context)
        content = large(300_000)
        fault(path, %{kind: "status", code: code}, %{method: "POST"})
        {result, why} = with_fallback(fn -> Commit.upload_file({:binary, content}, "a.bin", id, xet()) end)
        assert {:ok, %{committed?: true}} = result
        assert why =~ "cannot upload to Xet storage"
        assert [_batch] = asked(id, "/objects/batch")
        control(:delete, "faults")
        assert downloaded(context, id, []) == content
      end
    end

    test "of a killed VM is resumed without the objects that the storage has", context do
      id = writable(context)
      dir = folder(context, %{"a.bin" => large(1_000_000)})
      opts = inspect(endpoint: endpoint(), token: token(), xet: :auto)
      command = Vm.script(context, ~s|HfHub.Commit.upload_folder("#{dir}", "#{id}", #{opts})|)
      fault("/shards", %{kind: "hang"}, %{method: "POST"})
      port = Vm.open(command, [:exit_status, :stderr_to_stdout])
      eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end, 1500)
      Vm.kill(port)
      control(:delete, "faults")
      assert [_object] = objects(context)
      assert {:ok, %{committed?: true}} = Commit.upload_folder(dir, id, xet())
      assert [_object] = objects(context)
      assert downloaded(context, id, xet: true) == File.read!(Path.join(dir, "a.bin"))
    end

    test "keeps a bandwidth limit", context do
      id = writable(context)
      opts = xet(max_bandwidth: HfHub.Bandwidth.new(1_000_000))
      started = System.monotonic_time(:millisecond)
      Commit.upload_file!({:binary, large(600_000)}, "a.bin", id, opts)
      assert System.monotonic_time(:millisecond) - started > 450
    end

    test "stops when the process that started it dies", context do
      id = writable(context)
      fault("/v1/chunks/", %{kind: "hang"})
      content = large(1_000_000)
      {:ok, pid} = Task.start(fn -> Commit.upload_file({:binary, content}, "a.bin", id, xet()) end)
      eventually(fn -> match?([%{"fired" => 1}], control(:get, "faults")) end)
      Process.exit(pid, :kill)
      eventually(fn -> match?([%{"aborted" => true} | _], storage(context, "/v1/chunks/")) end)
      assert asked(id, "/commit/main") == []
    end
  end

  describe "a download" do
    test "by Xet unpacks what uploads have compressed", context do
      floats = for _ <- 1..250_000, into: "", do: <<:rand.normal()::float-32-little>>
      text = String.duplicate("the same words again and again, ", 30_000)

      for content <- [floats, text] do
        before = sent(context)
        id = stored(context, content)
        assert sent(context) - before < byte_size(content)
        assert {{:ok, path}, nil} = with_fallback(fn -> download(context, id, xet: true) end)
        assert File.read!(path) == content
      end
    end

    test "by Xet is verified, so that a corrupt object is received over HTTP", context do
      content = large(400_000)
      id = stored(context, content)
      fault("/xet/xorbs/", %{kind: "corrupt", at: 200_000})
      {result, why} = with_fallback(fn -> download(context, id, xet: true) end)
      assert {:ok, path} = result
      assert File.read!(path) == content
      assert why =~ "SHA-256"
    end

    test "is an error without a file if both ways send wrong content", context do
      content = large(400_000)
      id = stored(context, content)
      fault("/xet/xorbs/", %{kind: "corrupt", at: 200_000})
      fault("/lfs/", %{kind: "corrupt", at: 200_000})
      assert {:error, %Error{kind: :checksum_mismatch} = error} = download(context, id, xet: true)
      assert error.message =~ "Xet has failed, too"
      assert Path.wildcard(context.dir <> "/cache*/**/blobs/*") == []
    end

    test "takes HTTP within 15 seconds if the storage is down", context do
      content = large(400_000)
      id = stored(context, content)
      fault("/reconstructions/", %{kind: "hang_up"})
      began = System.monotonic_time(:second)
      {result, why} = with_fallback(fn -> download(context, id, xet: true) end)
      assert {:ok, path} = result
      assert File.read!(path) == content
      assert why =~ "cannot download from Xet storage: the connection to "
      assert System.monotonic_time(:second) - began < 15
    end

    test "by Xet resumes what HTTP has begun", context do
      content = large(2_000_000)
      id = stored(context, content)
      fault("/lfs/", %{kind: "drop", after: 1_000_000})
      {result, why} = with_fallback(fn -> download(context, id, retries: 0, xet: :auto) end)
      assert {:ok, path} = result
      assert File.read!(path) == content
      assert why =~ "broke"
      assert [%{"range" => "bytes=" <> range}] = storage(context, "/v2/reconstructions/")
      assert range |> Integer.parse() |> elem(0) > 500_000
    end

    test "stops when the process that started it dies", context do
      id = stored(context, large(17_000_000))
      fault("/xet/xorbs/", %{kind: "hang"})
      {:ok, pid} = Task.start(fn -> download(context, id, xet: true) end)
      eventually(fn -> match?([%{"fired" => fired}] when fired > 0, control(:get, "faults")) end)
      Process.exit(pid, :kill)
      eventually(fn -> match?([%{"aborted" => true} | _], storage(context, "/xet/xorbs/")) end)
    end

    test "uses Xet if the Hub offers nothing else", context do
      content = large(400_000)
      id = stored(context, content)
      fault("#{id}/resolve/", %{kind: "header", name: "location"})
      assert downloaded(context, id, xet: :auto) == content
      assert {:error, %Error{kind: :invalid_response} = error} = download(context, id, xet: false)
      assert error.message =~ "in Xet storage only"
    end
  end

  test "tokens that expire soon are requested by each call, also for a private repository", context do
    root = Path.join(context.dir, "short")
    {:ok, hub} = LocalHub.start_link(root: root, test_control: true, args: ["--link-ttl", "20"])
    LocalHub.command!(hub, ["user", "add", "me", "--token", token()])
    opts = [endpoint: LocalHub.endpoint(hub), token: token(), retry_delay: 10]
    {:ok, _repo} = HfHub.Repo.create("me/short", [private: true] ++ opts)
    content = large(400_000)

    for path <- ["a.bin", "b.bin"] do
      assert {:ok, _info} = Commit.upload_file({:binary, content}, path, "me/short", [xet: :auto] ++ opts)
    end

    {result, why} = with_fallback(fn -> download(context, "me/short", [xet: true] ++ opts) end)
    assert {{:ok, path}, nil} = {result, why}
    assert File.read!(path) == content
    requests = control(:get, "requests", nil, LocalHub.endpoint(hub))
    assert Enum.count(requests, &(&1["path"] =~ "xet-write-token")) > 1
  end
end
