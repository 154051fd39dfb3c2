defmodule HfHub.TestTest do
  # The kit for suites of other projects, used as they use it.
  use ExUnit.Case, async: true

  import HfHub.Test

  alias HfHub.{Api, Auth, Download, Error, Lock}

  @repos %{
    "org/model" => %{
      "config.json" => "{}",
      "sub/a.txt" => "a",
      "model.safetensors" => String.duplicate("w", 5000)
    },
    "datasets/org/data" => %{"a.csv" => "1\n"}
  }

  defp file(hub, name, more \\ []),
    do: Download.hf_hub_download(opts(hub, [repo_id: "org/model", filename: name] ++ more))

  for kind <- [:start_hub, :start_local_hub] do
    describe "#{kind}" do
      setup do
        {:ok, hub: apply(HfHub.Test, unquote(kind), [@repos])}
      end

      test "serves files, snapshots, listings, information and the account", %{hub: hub} do
        assert {:ok, path} = file(hub, "model.safetensors")
        assert File.read!(path) == @repos["org/model"]["model.safetensors"]
        assert {:ok, folder} = Download.snapshot_download(opts(hub, repo_id: "org/model"))
        for {name, content} <- @repos["org/model"], do: assert(File.read!(Path.join(folder, name)) == content)

        assert {:ok, _folder} =
                 Download.snapshot_download(opts(hub, repo_id: "org/data", repo_type: :dataset))

        ask = opts(hub, cache_dir: nil)
        assert {:ok, entries} = Api.list_repo_tree("org/model", ask)

        assert Enum.sort(
                 for entry <- entries, entry.path in ["config.json", "sub"], do: {entry.type, entry.path}
               ) == [file: "config.json", folder: "sub"]

        assert {:ok, [%{path: "sub/a.txt"}]} = Api.paths_info("org/model", ["sub/a.txt"], ask)
        assert {:ok, %{id: "org/model", sha: commit}} = Api.model_info("org/model", ask)
        assert Path.basename(folder) == commit
        assert {:ok, %{name: "tester"}} = Auth.whoami(ask)
        assert {:error, %Error{kind: :unauthorized}} = Auth.whoami(Keyword.put(ask, :token, "hf_other"))
        lock = Path.join(hub.cache_dir, "../hf_hub.lock")
        assert {:ok, _entry} = Lock.pin("org/model", [lock: lock] ++ ask)
        assert {:ok, [%{path: ^folder, downloaded: []}]} = Lock.get(opts(hub, lock: lock))
      end

      test "names what is missing", %{hub: hub} do
        assert {:error, %Error{kind: :entry_not_found}} = file(hub, "none")
        assert {:error, %Error{kind: :revision_not_found}} = file(hub, "config.json", revision: "none")

        assert {:error, %Error{kind: :repo_not_found}} =
                 Download.snapshot_download(opts(hub, repo_id: "org/none"))
      end

      test "new content of a repository is another commit", %{hub: hub} do
        {:ok, before} = file(hub, "config.json")
        put_repo(hub, "org/model", %{"config.json" => "[]"})
        assert {:ok, path} = file(hub, "config.json")
        assert File.read!(path) == "[]" and path != before
      end

      test "a status is an error, a limited number of times", %{hub: hub} do
        fault(hub, "config.json", {:status, 403}, times: 1)
        assert {:error, %Error{kind: :forbidden}} = file(hub, "config.json", retries: 0)
        assert {:ok, _path} = file(hub, "config.json")
        fault(hub, "*/sub/*", {:status, 403, [{"x-error-code", "GatedRepo"}]})
        assert {:error, %Error{kind: :gated_repo}} = file(hub, "sub/a.txt", retries: 0)
        assert Enum.any?(requests(hub, "sub/a.txt"), &(&1.status == 403))
        clear_faults(hub)
        assert {:ok, _path} = file(hub, "sub/a.txt")
      end

      test "a cut connection is resumed, and a stalled one is a timeout", %{hub: hub} do
        fault(hub, "*", {:cut, 1000}, times: 1, method: "GET")
        assert {:ok, path} = file(hub, "model.safetensors")
        assert File.read!(path) == @repos["org/model"]["model.safetensors"]
        fault(hub, "sub/a.txt", {:stall, 0})
        assert {:error, %Error{kind: :timeout}} = file(hub, "sub/a.txt", download_timeout: 100, retries: 0)
      end

      test "wrong content is never stored", %{hub: hub} do
        fault(hub, "config.json", {:body, "[]"})
        assert {:error, %Error{kind: :checksum_mismatch}} = file(hub, "config.json", retries: 0)
        fault(hub, "sub/a.txt", {:corrupt, 0})
        assert {:error, %Error{kind: :checksum_mismatch}} = file(hub, "sub/a.txt", retries: 0)
        assert {:error, %Error{kind: :not_cached}} = file(hub, "config.json", local_files_only: true)
      end

      test "a hub that hangs or hangs up, and one that limits the rate", %{hub: hub} do
        fault(hub, "config.json", :hang)
        assert {:error, %Error{kind: :timeout}} = file(hub, "config.json", etag_timeout: 100, retries: 0)
        fault(hub, "sub/a.txt", :hang_up)
        assert {:error, %Error{kind: :transport}} = file(hub, "sub/a.txt", retries: 0)
        fault(hub, "late", {:delay, 50})
        assert {:error, %Error{kind: :entry_not_found}} = file(hub, "late")
        fault(hub, "none", {:rate_limit, 1})
        assert {:error, %Error{kind: :rate_limited, retry_after: wait}} = file(hub, "none", retries: 0)
        assert wait >= 1000
      end

      test "lists requests", %{hub: hub} do
        assert requests(hub) == []
        {:ok, _path} = file(hub, "config.json")
        assert %{method: "GET", status: 200} = List.last(requests(hub, "config.json"))
        assert requests(hub, "*/none") == []
      end
    end
  end

  test "a scripted Hub has routes of the test" do
    routes = %{
      "GET /api/models" => [%{id: "org/found"}],
      "POST /api/repos/create" => fn request -> {200, %{url: "x", name: request.body}} end,
      "GET /api/models/org/other" => {418, [{"x-error-message", "a teapot"}], ""}
    }

    hub = start_hub(%{}, routes: routes)
    ask = opts(hub, cache_dir: nil, retries: 0)
    assert {:ok, [%{id: "org/found"}]} = Api.list_models(ask)
    assert {:error, %Error{kind: :http, status: 418}} = Api.model_info("org/other", ask)
    assert {:ok, _url} = HfHub.Repo.create("org/new", ask)
  end

  test "a scripted Hub names the route that it lacks, and no request is repeated" do
    hub = start_hub(@repos)
    ask = opts(hub, cache_dir: nil)

    for {route, call} <- [
          {"POST /api/repos/create", fn -> HfHub.Repo.create("org/new", ask) end},
          {"GET /api/models", fn -> Api.list_models(ask) end},
          {"GET /api/models/org/model/refs", fn -> HfHub.Git.list_refs("org/model", ask) end},
          {"DELETE /api/models/org/model",
           fn -> HfHub.Request.new(:delete, "/api/models/org/model", [], ask) |> HfHub.Request.effect() end}
        ] do
      assert {:error, %Error{status: 501, message: message}} = call.()
      assert message =~ "the scripted Hub has no route #{route}; add it to :routes, or use start_local_hub/2"
      [_method, path] = String.split(route)
      assert [%{status: 501}] = for(request <- requests(hub), request.path == path, do: request)
    end
  end

  test "the function of a route may call the Hub, and others are served meanwhile" do
    test = self()

    slow = fn _request ->
      send(test, {:route, self()})
      receive do: ({:hub, hub} -> send(test, {:seen, requests(hub)}))
      %{id: "org/slow"}
    end

    hub = start_hub(@repos, routes: %{"GET /api/models/org/slow" => slow})
    ask = opts(hub, cache_dir: nil)
    call = Task.async(fn -> Api.model_info("org/slow", ask) end)
    assert_receive {:route, route}, 5000
    assert {:ok, %{id: "org/model"}} = Api.model_info("org/model", ask)
    send(route, {:hub, hub})
    assert {:ok, %{id: "org/slow"}} = Task.await(call)
    assert_received {:seen, [%{path: "/api/models/org/slow", status: nil}, %{status: 200}]}
    assert [%{status: 200}, %{status: 200}] = requests(hub)
  end

  test "a mistake in what a test gives a Hub raises at once, with what is expected" do
    hub = start_hub(@repos)

    for {work, message} <- [
          {fn -> start_hub(nil) end, "as a map of ids to their files"},
          {fn -> start_hub(a: %{}) end, "as a map of ids to their files"},
          {fn -> start_hub(%{org: %{}}) end, "as a map of names to binaries"},
          {fn -> start_hub(%{"org/m" => "x"}) end, "as a map of names to binaries"},
          {fn -> start_hub(%{"org/m" => %{a: "x"}}) end, "as a map of names to binaries"},
          {fn -> start_hub(%{"org/m" => %{"a" => 1}}) end, "as a map of names to binaries"},
          {fn -> start_hub(%{"org/m" => %{"../a" => "1"}}) end, ~s(invalid path in the repository "../a")},
          {fn -> start_hub(%{"dataset/org/m" => %{}}) end, ~s(begins with "datasets/")},
          {fn -> start_local_hub(%{"org/m" => %{"../a" => "1"}}) end,
           ~s(invalid path in the repository "../a")},
          {fn -> put_repo(hub, "org/m", [1]) end, "as a map of names to binaries"},
          {fn -> start_hub(%{}, routes: %{"/api/models" => []}) end, "as a method and a path"},
          {fn -> start_hub(%{}, routes: %{"get /api/models" => []}) end, "as a method and a path"},
          {fn -> start_hub(%{}, routes: %{"GET /api/models?limit=1" => []}) end, "without a query"},
          {fn -> start_hub(%{}, routes: %{"GET /x" => {200, "a", "b", "c"}}) end, "{status, headers, body}"},
          {fn -> fault(hub, ~r/x/, :hang) end, "a pattern in which *"},
          {fn -> requests(hub, nil) end, "a pattern in which *"},
          {fn -> fault(hub, "x", {:explode, 1}) end, "unknown fault"},
          {fn -> fault(hub, "x", {:status, "500"}) end, "unknown fault"},
          {fn -> fault(hub, "x", {:status, 99_999}) end, "unknown fault"},
          {fn -> fault(hub, "x", {:cut, -1}) end, "unknown fault"},
          {fn -> fault(hub, "x", {:delay, 1.5}) end, "unknown fault"},
          {fn -> fault(hub, "x", {:body, ["a"]}) end, "unknown fault"},
          {fn -> fault(hub, "x", {:status, 500, [a: "b"]}) end, "{name, value}"}
        ] do
      error = assert_raise ArgumentError, work
      assert error.message =~ message, error.message
    end

    assert {:ok, _path} = file(hub, "config.json")
  end

  test "a test fails if the function of a route raises, and the Hub serves other requests" do
    folder = Path.join(System.tmp_dir!(), "hf_hub_test_#{System.pid()}_#{System.unique_integer([:positive])}")
    File.mkdir_p!(folder)
    on_exit(fn -> File.rm_rf!(folder) end)

    script =
      HfHub.Vm.script(%{dir: folder}, """
      ExUnit.start(colors: [enabled: false])

      defmodule Suite do
        use ExUnit.Case, async: true
        import HfHub.Test

        for {name, work} <- [raises: quote(do: raise("boom")), asserts: quote(do: assert(1 == 2)), ends: quote(do: exit(:gone))] do
          test "\#{name}" do
            hub = start_hub(%{"org/m" => %{}}, routes: %{"GET /api/models/org/x" => fn _request -> unquote(work) end})
            ask = opts(hub, cache_dir: nil)
            assert {:error, %{status: 501, message: message}} = HfHub.Api.model_info("org/x", ask)
            assert message =~ "the end of the test shows why"
            assert {:ok, _info} = HfHub.Api.model_info("org/m", ask)
          end
        end
      end
      """)

    assert {output, status} = HfHub.Vm.run(script)
    assert status != 0 and output =~ "3 tests, 3 failures", output
    assert output =~ "(RuntimeError) boom" and output =~ "code:  assert 1 == 2" and output =~ "(exit) :gone"
    refute output =~ "the end of the test"
  end

  test "two Hubs of one test have nothing in common" do
    [one, two] = for text <- ["1", "2"], do: start_hub(%{"org/model" => %{"a" => text}})
    assert {:ok, a} = file(one, "a")
    assert {:ok, b} = file(two, "a")
    assert {File.read!(a), File.read!(b)} == {"1", "2"}
  end

  test "a scripted Hub reads bodies in chunks, and survives what is no request" do
    routes = %{"POST /up" => &%{body: &1.body}, "GET /ok" => %{ok: true}}
    hub = start_hub(%{}, routes: routes)
    port = URI.parse(hub.endpoint).port

    sent = fn text ->
      {:ok, socket} = :gen_tcp.connect(~c"127.0.0.1", port, [:binary, active: false])
      :ok = :gen_tcp.send(socket, text)
      # The connection ends after it.
      :ok = :gen_tcp.shutdown(socket, :write)
      received(socket, "")
    end

    chunks = "5;ext=1\r\nhello\r\n7\r\n\r\nworld\r\n0\r\ntrailer: 1\r\n\r\n"
    post = "POST /up HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" <> chunks

    assert [_head, first, second] =
             Regex.split(~r/content-length: \d+\r\n\r\n/, sent.(post <> "GET /ok HTTP/1.1\r\n\r\n"))

    assert first =~ ~S({"body":"hello\r\nworld"})
    assert second =~ "true"

    for text <-
          ["5\r\n", "GET http://other/x HTTP/1.1\r\n\r\n", "GET /ok HTTP/1.1\r\nno header\r\n\r\n"] ++
            for(body <- ["x\r\n", "-1\r\n", "5\r\nhe"], do: String.replace(post, chunks, body)) do
      assert sent.(text) == ""
    end

    assert sent.("GET /ok HTTP/1.1\r\n\r\n") =~ "true"
    assert length(requests(hub)) == 3
  end

  defp received(socket, before) do
    case :gen_tcp.recv(socket, 0, 5_000) do
      {:ok, bytes} -> received(socket, before <> bytes)
      {:error, _closed} -> before
    end
  end
end
