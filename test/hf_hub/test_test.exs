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

      test "lists requests, and an unknown fault raises", %{hub: hub} do
        assert requests(hub) == []
        {:ok, _path} = file(hub, "config.json")
        assert %{method: "GET", status: 200} = List.last(requests(hub, "config.json"))
        assert requests(hub, "*/none") == []
        assert_raise ArgumentError, ~r/unknown fault/, fn -> fault(hub, "x", {:explode, 1}) end
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

  test "two Hubs of one test have nothing in common" do
    [one, two] = for text <- ["1", "2"], do: start_hub(%{"org/model" => %{"a" => text}})
    assert {:ok, a} = file(one, "a")
    assert {:ok, b} = file(two, "a")
    assert {File.read!(a), File.read!(b)} == {"1", "2"}
  end
end
