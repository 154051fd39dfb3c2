defmodule HfHub.DownloadTest do
  # Some tests make the Hub ask for a pause, which all its callers keep.
  use HfHub.Case, async: true, hub: :own

  import ExUnit.CaptureLog

  alias HfHub.{Download, Error, LocalHub, Progress}
  alias HfHub.Download.FileInfo

  @files %{"config.json" => ~s({"a": 1}\n), "sub/vocab.txt" => "one\ntwo\n", "README.md" => "# tiny\n"}

  defp small(context), do: repo(context, @files)

  defp with_model(context, size \\ 300_000) do
    content = large(size)
    {id, commit} = repo(context, Map.put(@files, "model.safetensors", content))
    {id, commit, content}
  end

  describe "a file" do
    test "is stored in the cache under its commit", context do
      {id, commit} = small(context)
      {:ok, path} = Download.hf_hub_download(opts(context, repo_id: id, filename: "sub/vocab.txt"))
      folder = "models--" <> String.replace(id, "/", "--")
      assert path == Path.join([context.cache, folder, "snapshots", commit, "sub/vocab.txt"])
      assert File.read!(path) == "one\ntwo\n"
      assert File.read!(Path.join([context.cache, folder, "refs/main"])) == commit
      assert "../../../blobs/" <> blob = File.read_link!(path)
      assert byte_size(blob) == 40
    end

    test "takes one request to the Hub and, if it is large, one to the content host", context do
      {id, _commit, content} = with_model(context)
      {:ok, path} = Download.hf_hub_download(opts(context, repo_id: id, filename: "model.safetensors"))
      assert File.read!(path) == content
      assert Path.basename(File.read_link!(path)) == sha256(content)
      assert [%{"method" => "GET", "status" => 302, "counter" => "1"}] = requests(id)
      assert [%{"method" => "GET", "status" => 200, "authorization" => false}] = requests(content)
    end

    test "if cached, is not transferred again, and with a commit takes no request", context do
      {id, commit, content} = with_model(context)
      opts = opts(context, repo_id: id, filename: "model.safetensors")
      path = Download.hf_hub_download!(opts)
      assert Download.hf_hub_download!(opts) == path
      assert length(requests(id)) == 2
      assert length(requests(content)) == 1
      assert Download.hf_hub_download!([revision: commit] ++ opts) == path
      assert length(requests(id)) == 2
    end

    test "follows the branch when it moves", context do
      {id, _commit} = small(context)
      opts = opts(context, repo_id: id, filename: "config.json")
      old = Download.hf_hub_download!(opts)
      {^id, commit} = repo(context, %{"config.json" => "new"}, id: id)
      new = Download.hf_hub_download!(opts)
      assert new =~ commit and File.read!(new) == "new" and File.read!(old) == @files["config.json"]
    end

    test "is rejected if its checksum does not match", context do
      {id, _commit, content} = with_model(context)
      fault(sha256(content), %{kind: "corrupt", at: 1000})
      opts = opts(context, repo_id: id, filename: "model.safetensors")
      named = ~s(wrong content of "model.safetensors" of "#{id}")
      assert {:error, %Error{kind: :checksum_mismatch, message: message}} = Download.hf_hub_download(opts)
      assert message =~ named and message =~ "try again"

      assert_raise Error, ~r/#{named}.*proxy/, fn ->
        Stream.run(Download.download_stream!(opts -- [cache_dir: context.cache]))
      end

      assert tree(context.cache) |> Map.keys() |> Enum.reject(&(&1 =~ ~r/refs|lock|CACHEDIR/)) == []
    end

    test "the error of a file that the Hub forbids has its sentence once in a snapshot", context do
      {id, _commit} = repo(context, %{"a.txt" => "a"})
      fault("#{id}/resolve", %{kind: "status", code: 403})
      opts = opts(context, repo_id: id, allow_patterns: "a.txt")
      assert {:error, error} = Download.snapshot_download(opts)
      assert error.kind == :forbidden and error.path == "a.txt"
      assert [_before, _after] = String.split(error.message, "is forbidden")
    end

    test "is resumed after a broken connection", context do
      {id, _commit, content} = with_model(context)
      fault(sha256(content), %{kind: "drop", after: 200_000}, %{times: 1})
      path = Download.hf_hub_download!(opts(context, repo_id: id, filename: "model.safetensors"))
      assert File.read!(path) == content
      assert [_first, %{"status" => 206, "range" => "bytes=" <> _}] = requests(content)
    end

    test "is resumed from the partial file of an earlier call", context do
      {id, _commit, content} = with_model(context)
      fault(sha256(content), %{kind: "drop", after: 200_000}, %{times: 1})
      opts = opts(context, repo_id: id, filename: "model.safetensors")
      assert {:error, %Error{kind: :transport}} = Download.hf_hub_download([retries: 0] ++ opts)

      me = self()
      {:ok, path} = Download.resume_download([progress: &send(me, &1)] ++ opts)
      assert File.read!(path) == content
      assert_received %Progress{activity: :done, bytes_resumed: resumed, bytes_done: 300_000}
      assert resumed > 0
      assert Path.wildcard(context.cache <> "/**/*.incomplete") == []
    end

    test "is complete despite any network fault", context do
      for fault <- [
            %{kind: "short", by: 1000},
            %{kind: "status", code: 503},
            %{kind: "stall", after: 1000},
            %{kind: "hang"},
            %{kind: "expired"},
            %{kind: "rate_limit", seconds: 0}
          ] do
        {id, _commit, content} = with_model(context)
        fault(sha256(content), fault, %{times: 1})

        opts =
          opts(context, repo_id: id, filename: "model.safetensors", etag_timeout: 300, download_timeout: 300)

        assert {:ok, path} = Download.hf_hub_download(opts), "with #{inspect(fault)}"
        assert File.read!(path) == content
      end
    end

    test "is an error with the reason after all retries", context do
      {id, _commit, content} = with_model(context)
      fault(sha256(content), %{kind: "stall", after: 0})
      opts = opts(context, repo_id: id, filename: "model.safetensors", download_timeout: 50, retries: 2)
      assert {:error, %Error{kind: :timeout} = error} = Download.hf_hub_download(opts)

      assert Exception.message(error) =~
               ~r"no byte arrived from 127.0.0.1:\d+ for 50 ms; gave up after 3 attempts"
    end

    test "is an error if no retry receives new bytes", context do
      {id, _commit, content} = with_model(context)
      fault(sha256(content), %{kind: "range_416"})
      fault(sha256(content), %{kind: "drop", after: 100_000})
      opts = opts(context, repo_id: id, filename: "model.safetensors", retries: 3)
      assert {:error, %Error{}} = Download.hf_hub_download(opts)
      assert length(requests(content)) < 12
    end

    test "does not wait longer than allowed for Retry-After", context do
      {id, _commit} = small(context)
      fault(id, %{kind: "status", code: 503, headers: %{"Retry-After" => "18446744073709551615"}})
      opts = opts(context, repo_id: id, filename: "config.json")
      assert {:error, %Error{kind: :server}} = Download.hf_hub_download(opts)
    end

    test "is returned from the cache if the server is not a Hub", context do
      {id, _commit} = small(context)
      opts = opts(context, repo_id: id, filename: "config.json")
      path = Download.hf_hub_download!(opts)
      fault(id, %{kind: "status", code: 200, body: "<html>log in to the hotel network</html>"})
      assert capture_log(fn -> assert Download.hf_hub_download!(opts) == path end) =~ "using the cached copy"
      other = Keyword.put(opts, :filename, "README.md")
      assert {:error, %Error{kind: :invalid_response, message: message}} = Download.hf_hub_download(other)
      assert message =~ "does not look like a Hugging Face Hub"
    end

    test "stops at :timeout", context do
      {id, _commit, content} = with_model(context)
      fault(sha256(content), %{kind: "stall", after: 0})
      opts = opts(context, repo_id: id, filename: "model.safetensors", timeout: 200)
      assert {:error, %Error{kind: :timeout, message: message}} = Download.hf_hub_download(opts)
      assert message =~ "timeout of 200 ms: "
      {opts, bytes} = {Keyword.merge(opts, timeout: 2000, download_timeout: 300, retry_delay: 5000), 150_000}
      fault(sha256(content), %{kind: "stall", after: bytes})
      assert {:error, %Error{kind: :timeout, message: message}} = Download.hf_hub_download(opts)
      assert message =~ ~r/a retry was pending.*; last failure: no byte arrived from .* for 300 ms/
    end

    test "may have any valid file name", context do
      files =
        Map.new(
          [
            "with space.txt",
            "run[1]/x.txt",
            "a#b.txt",
            "what?.txt",
            "100%.txt",
            "ü/文件.txt",
            "plus+.txt",
            "model..bin"
          ],
          &{&1, &1}
        )

      {id, _commit} = repo(context, files)

      for {name, content} <- files do
        path = Download.hf_hub_download!(opts(context, repo_id: id, filename: name))
        assert String.ends_with?(path, "/" <> name) and File.read!(path) == content
      end
    end

    test "may be empty", context do
      {id, _commit} = repo(context, %{"empty" => "", "empty.bin" => ""})

      for name <- ["empty", "empty.bin"], opts = opts(context, repo_id: id, filename: name) do
        assert File.read!(Download.hf_hub_download!(opts)) == ""
        assert File.read!(Download.hf_hub_download!(opts)) == ""
      end
    end

    test "is found at tags, branches with slashes and ids without a namespace", context do
      {id, commit} = repo(context, @files, id: "single-#{System.unique_integer([:positive])}")
      LocalHub.command!(hub(), ["repo", "tag", id, "v1"])
      LocalHub.command!(hub(), ["repo", "branch", id, "feature/x"])

      for revision <- ["v1", "feature/x", commit] do
        path =
          Download.hf_hub_download!(opts(context, repo_id: id, filename: "config.json", revision: revision))

        assert path =~ commit
      end

      assert File.read!(Path.join([context.cache, "models--" <> id, "refs/feature/x"])) == commit
    end

    test "is found in a renamed repository", context do
      {id, _commit} = small(context)
      LocalHub.command!(hub(), ["repo", "rename", id, id <> "-new"])
      assert {:ok, _path} = Download.hf_hub_download(opts(context, repo_id: id, filename: "config.json"))
      assert {:ok, _path} = Download.snapshot_download(opts(context, repo_id: id))
    end

    test "of a dataset or Space has a separate folder", context do
      for {type, folder} <- [dataset: "datasets--", space: "spaces--"] do
        {id, _commit} = repo(context, @files, repo_type: type)
        path = Download.hf_hub_download!(opts(context, repo_id: id, repo_type: type, filename: "config.json"))
        assert path =~ folder
        uri = "hf://#{type}s/#{id}/sub/vocab.txt"
        assert Download.hf_hub_download!(opts(context, repo_id: uri)) =~ folder
      end
    end

    test "is downloaded again with :force_download", context do
      {id, _commit, content} = with_model(context)
      opts = opts(context, repo_id: id, filename: "model.safetensors")
      path = Download.hf_hub_download!(opts)
      File.write!(path, "damaged")
      assert Download.hf_hub_download!([force_download: true] ++ opts) == path
      assert File.read!(path) == content
    end

    test "is verified against :expected_sha256", context do
      {id, _commit, content} = with_model(context)
      opts = opts(context, repo_id: id, filename: "model.safetensors")
      assert {:ok, _} = Download.hf_hub_download([expected_sha256: String.upcase(sha256(content))] ++ opts)
      wrong = String.duplicate("0", 64)

      before = length(requests(content))

      assert {:error, %Error{kind: :checksum_mismatch, message: message}} =
               Download.hf_hub_download([expected_sha256: wrong, force_download: true] ++ opts)

      assert message =~ ~s("model.safetensors" of "#{id}") and message =~ "check :expected_sha256"

      # The Hub announces another hash, so the content is not requested.
      assert length(requests(content)) == before
    end

    test "is downloaded once for many callers", context do
      {id, _commit, content} = with_model(context, 2_000_000)
      opts = opts(context, repo_id: id, filename: "model.safetensors")

      paths =
        1..20
        |> Enum.map(fn _ -> Task.async(fn -> Download.hf_hub_download!(opts) end) end)
        |> Task.await_many()

      assert [path] = Enum.uniq(paths)
      assert File.read!(path) == content
      # The first bytes of a response may be sent before the client closes it unread.
      assert Enum.count(requests(content), & &1["finished"]) == 1
    end
  end

  describe "a missing file or repository" do
    test "has an error of a kind of its own", context do
      {id, _commit} = small(context)
      kind = fn more -> elem(Download.hf_hub_download(opts(context, more)), 1) end

      error = kind.(repo_id: id, filename: "confg.json")
      assert %Error{kind: :entry_not_found, status: 404, repo_id: ^id, path: "confg.json"} = error
      assert error.message =~ ~s(similar: "config.json")
      assert error.request_id =~ "Root="

      assert %Error{kind: :revision_not_found, message: message} =
               kind.(repo_id: id, filename: "x", revision: "no-such")

      assert message =~ ~s(has no revision "no-such")
      assert %Error{kind: :repo_not_found} = kind.(repo_id: "org/none", filename: "x")
      assert %Error{kind: :repo_not_found} = kind.(repo_id: "org/none", filename: "x", token: token())
      assert %Error{kind: :unauthorized} = kind.(repo_id: id <> "x", filename: "x", token: "hf_wrong")

      assert %Error{kind: :transport} =
               kind.(repo_id: id, filename: "x", endpoint: "http://127.0.0.1:1", retries: 0)
    end

    test "takes at most one more request, and none in a dry run", context do
      {id, commit} = small(context)
      fault("#{id}/tree/#{commit}", %{kind: "status", code: 500})
      opts = opts(context, repo_id: id, filename: "confg.json")
      assert {:error, %Error{kind: :entry_not_found}} = Download.hf_hub_download([dry_run: true] ++ opts)
      assert not File.exists?(context.cache)
      assert Enum.count(requests(id), &(&1["path"] =~ "/tree/")) == 1
    end

    test "is recorded in the cache", context do
      {id, commit} = small(context)
      opts = [repo_id: id, filename: "none.json"]
      assert {:error, _} = Download.hf_hub_download(opts(context, opts))
      folder = "models--" <> String.replace(id, "/", "--")
      assert File.exists?(Path.join([context.cache, folder, ".no_exist", commit, "none.json"]))

      assert {:error, %Error{kind: :entry_not_found}} =
               HfHub.try_to_load_from_cache(id, "none.json", cache_dir: context.cache)
    end

    test "that is private or gated has distinct errors with advice", context do
      {private, _} = repo(context, @files, private: true)
      {gated, _} = repo(context, @files, gated: :manual)

      get = fn id, more ->
        Download.hf_hub_download(opts(context, [repo_id: id, filename: "config.json"] ++ more))
      end

      assert {:error, %Error{kind: :repo_not_found, message: message}} = get.(private, token: false)

      assert message =~
               "it is private: run HfHub.Auth.login(), set HF_TOKEN (in Livebook the secret HF_TOKEN, LB_HF_TOKEN) or pass :token"

      assert {:error, %Error{kind: :gated_repo, status: 401, message: message}} = get.(gated, token: false)
      assert message =~ "accept its terms at #{context.endpoint}/#{gated}"
      assert {:error, %Error{kind: :gated_repo, status: 403}} = get.(gated, token: token())
      LocalHub.command!(hub(), ["repo", "grant", gated, "reader"])
      assert {:ok, _} = get.(gated, token: token())
    end

    test "in offline mode is an error that opens no socket", context do
      {id, commit} = small(context)
      opts = opts(context, repo_id: id, filename: "config.json")
      path = Download.hf_hub_download!(opts)
      before = length(requests(id))
      offline = [local_files_only: true] ++ opts
      assert Download.hf_hub_download!(offline) == path

      assert {:error, %Error{kind: :not_cached}} =
               Download.hf_hub_download(Keyword.put(offline, :filename, "README.md"))

      assert {:error, %Error{kind: :not_cached}} =
               Download.snapshot_download(opts(context, repo_id: "org/none", local_files_only: true))

      assert length(requests(id)) == before
      assert path =~ commit
    end

    test "is taken from the cache while the Hub is down", context do
      {id, _commit} = small(context)
      opts = opts(context, repo_id: id, filename: "config.json")
      path = Download.hf_hub_download!(opts)
      folder = Download.snapshot_download!(opts(context, repo_id: id))
      fault(id, %{kind: "status", code: 503})

      log = capture_log(fn -> assert Download.hf_hub_download!(opts) == path end)
      assert log =~ "using the cached copy of config.json, because the request to the Hub failed"

      log =
        capture_log(fn ->
          assert Download.snapshot_download!(opts(context, repo_id: id, retries: 0)) == folder
        end)

      assert log =~ "status: 503"
    end
  end

  describe "a snapshot" do
    test "takes one request for the revision, one for the listing and one per file", context do
      {id, commit, content} = with_model(context)
      {:ok, folder} = Download.snapshot_download(opts(context, repo_id: id))
      assert folder =~ commit
      for {name, content} <- @files, do: assert(File.read!(Path.join(folder, name)) == content)
      assert File.read!(Path.join(folder, "model.safetensors")) == content

      asked = requests(id)
      assert Enum.all?(asked, &(&1["method"] == "GET" and &1["counter"] == "1"))
      assert Enum.count(asked, &(&1["path"] =~ "/revision/")) == 1
      assert Enum.count(asked, &(&1["path"] =~ "/tree/")) == 1
      # .gitattributes is added by the Hub itself.
      assert Enum.count(asked, &(&1["path"] =~ "#{id}/resolve/")) == map_size(@files) + 2
    end

    test "takes one request per thousand files of the listing and one per missing file", context do
      files = Map.new(1..1200, &{"data/#{&1}.txt", "#{&1}"})
      {id, commit} = repo(context, Map.put(files, "model.safetensors", large(1000)))
      opts = opts(context, repo_id: id, revision: commit)
      for n <- 1..3, do: Download.hf_hub_download!([filename: "data/#{n}.txt"] ++ opts)
      # A redirect within the Hub is not counted as another request.
      asked = fn -> Enum.count(requests(id), &(not (&1["path"] =~ "/resolve-cache/"))) end
      before = asked.()
      # Names of both pages of the listing.
      download = &Download.snapshot_download!([allow_patterns: &1] ++ &2)
      some = ["data/?.txt", "data/??.txt"]
      folder = download.(some, Keyword.delete(opts, :revision))
      assert length(File.ls!(Path.join(folder, "data"))) == 99
      assert asked.() - before == 1 + 2 + 96

      more = ["model*", ".git*"] ++ some
      download.(more, Keyword.delete(opts, :revision))
      assert asked.() - before == 1 + 2 + 96 + 3, "the branch, .gitattributes and the model"
      download.(more, opts)
      assert asked.() - before == 1 + 2 + 96 + 3
    end

    test "if cached, takes one request, and none with a commit", context do
      {id, commit} = small(context)
      opts = opts(context, repo_id: id)
      folder = Download.snapshot_download!(opts)
      before = length(requests(id))
      assert Download.snapshot_download!(opts) == folder
      assert length(requests(id)) == before + 1
      assert Download.snapshot_download!([revision: commit] ++ opts) == folder
      assert Download.snapshot_download!([local_files_only: true] ++ opts) == folder
      assert length(requests(id)) == before + 1
    end

    test "downloads only files that match the patterns", context do
      {id, _commit} = small(context)

      names = fn more ->
        {:ok, files} =
          Download.snapshot_download(opts(context, Keyword.merge([repo_id: id, dry_run: true], more)))

        Enum.map(files, & &1.filename)
      end

      assert names.(allow_patterns: "*.json") == ["config.json"]
      assert names.(allow_patterns: ["*.txt", "README*"]) == ["README.md", "sub/vocab.txt"]
      assert names.(allow_patterns: ["sub/"]) == ["sub/vocab.txt"]
      assert names.(ignore_patterns: ["*.json", ".git*"]) == ["README.md", "sub/vocab.txt"]
      assert names.(repo_id: "hf://#{id}/sub") == ["sub/vocab.txt"]
      assert names.(allow_patterns: [], ignore_patterns: []) == names.([])
      assert length(names.([])) > 2

      assert names.(allow_patterns: [], ignore_patterns: ["*.json", ".git*"]) == [
               "README.md",
               "sub/vocab.txt"
             ]

      assert names.(allow_patterns: [], repo_id: "hf://#{id}/sub") == ["sub/vocab.txt"]
      assert not File.exists?(Path.join(context.cache, "models--" <> String.replace(id, "/", "--")))

      assert capture_log(fn -> assert names.(allow_patterns: ["*.none"]) == [] end) =~
               "no file of the repository matched"
    end

    test "if incomplete, is an error in offline mode that names the missing files", context do
      {id, _commit} = small(context)
      fault("*/#{id}/*README.md", %{kind: "status", code: 500})
      opts = opts(context, repo_id: id, retries: 0)
      path = Download.hf_hub_download!(opts(context, repo_id: id, filename: "config.json"))

      assert {:error, %Error{}} =
               Download.snapshot_download(opts(context, repo_id: id, retries: 0, max_workers: 1))

      assert {:error, %Error{kind: :not_cached, message: message}} =
               Download.snapshot_download([local_files_only: true] ++ opts)

      assert message =~ "the cached snapshot lacks" and message =~ "README.md"
      assert File.exists?(path)
    end

    test "of an empty plain folder is an error in offline mode", context do
      {id, _commit} = small(context)
      Download.snapshot_download!(opts(context, repo_id: id))
      local = Path.join(context.dir, "local")
      File.mkdir_p!(local)
      offline = opts(context, repo_id: id, local_dir: local, local_files_only: true)
      assert {:error, %Error{kind: :not_cached}} = Download.snapshot_download(offline)
      Download.snapshot_download!(opts(context, repo_id: id, local_dir: local))
      assert Download.snapshot_download!(offline) == local
      File.rm!(Path.join(local, "config.json"))
      assert {:error, %Error{kind: :not_cached, message: message}} = Download.snapshot_download(offline)
      assert message =~ "config.json"
    end

    test "rejects a listing with paths outside of its folder", context do
      # No repository can contain the first two; the others cannot be written.
      for {name, kind} <- [
            {"../../../pwned", :invalid_response},
            {"/tmp/pwned", :invalid_response},
            {"C:\\\\pwned", :invalid_name},
            {"a\\\\..\\\\..\\\\pwned", :invalid_name},
            {".git/pwned", :invalid_name}
          ] do
        {id, commit} = small(context)
        listing = ~s([{"type":"file","path":"#{name}","oid":"#{String.duplicate("a", 40)}","size":1}])
        fault("#{id}/tree/#{commit}", %{kind: "body", text: listing})

        for more <- [[], [local_dir: Path.join(context.dir, "local")]] do
          opts = opts(context, [repo_id: id] ++ more)
          assert {:error, %Error{kind: ^kind}} = Download.snapshot_download(opts)
        end

        assert Path.wildcard(context.dir <> "/**/*pwned", match_dot: true) == []
      end
    end
  end

  describe "a plain folder" do
    test "contains regular files and the metadata of the Python client", context do
      {id, commit, content} = with_model(context)
      local = Path.join(context.dir, "local")
      opts = opts(context, repo_id: id, local_dir: local)
      assert Download.snapshot_download!(opts) == local
      assert File.read!(Path.join(local, "model.safetensors")) == content
      assert File.lstat!(Path.join(local, "config.json")).type == :regular
      state = Path.join(local, ".cache/huggingface")
      assert File.read!(Path.join(state, ".gitignore")) == "*"

      [^commit, etag, _time, ""] =
        File.read!(Path.join(state, "download/model.safetensors.metadata")) |> String.split("\n")

      assert etag == sha256(content)

      before = length(requests(id))
      assert Download.snapshot_download!(opts) == local

      assert Download.hf_hub_download!([filename: "config.json", revision: commit] ++ opts) ==
               Path.join(local, "config.json")

      assert length(requests(id)) == before + 1
    end

    test "copies files from the cache, and replaces changed ones", context do
      {id, _commit, content} = with_model(context)
      Download.snapshot_download!(opts(context, repo_id: id))
      local = Path.join(context.dir, "local")
      opts = opts(context, repo_id: id, local_dir: local, filename: "model.safetensors")
      # A leftover of an interrupted copy.
      name = Base.url_encode64(:crypto.hash(:sha, "model.safetensors.metadata"))
      half = Path.join(local, ".cache/huggingface/download/#{name}.#{sha256(content)}.00000001.incomplete")
      File.mkdir_p!(Path.dirname(half))
      File.write!(half, "half")
      assert File.read!(Download.hf_hub_download!(opts)) == content
      assert length(requests(content)) == 1
      assert not File.exists?(half)

      File.write!(Path.join(local, "model.safetensors"), "edited")
      File.touch!(Path.join(local, "model.safetensors"), System.os_time(:second) + 60)
      assert File.read!(Download.hf_hub_download!(opts)) == content
    end

    test "is not changed by a dry run", context do
      {id, _commit} = small(context)
      local = Path.join(context.dir, "local")
      opts = opts(context, repo_id: id, local_dir: local, dry_run: true)

      assert {:ok, %FileInfo{will_download?: true, cached?: false}} =
               Download.hf_hub_download([filename: "config.json"] ++ opts)

      assert {:ok, [%FileInfo{} | _]} = Download.snapshot_download(opts)
      assert not File.exists?(local) and not File.exists?(context.cache)
    end
  end

  describe "a dry run" do
    test "returns what a call would download", context do
      {id, commit, _content} = with_model(context)
      opts = opts(context, repo_id: id, filename: "model.safetensors")
      assert {:ok, info} = Download.hf_hub_download([dry_run: true] ++ opts)
      assert %FileInfo{filename: "model.safetensors", commit_hash: ^commit, file_size: 300_000} = info
      assert info.will_download? and not info.cached?
      path = Download.hf_hub_download!(opts)

      assert {:ok, %FileInfo{will_download?: false, cached?: true, local_path: ^path}} =
               Download.hf_hub_download([dry_run: true] ++ opts)
    end
  end

  describe "a stream" do
    test "returns all bytes and writes no file", context do
      {id, _commit, content} = with_model(context)
      {:ok, stream} = Download.download_stream(stream_opts(context, id))
      assert stream |> Enum.to_list() |> IO.iodata_to_binary() == content
      assert Process.info(self(), :messages) == {:messages, []}
      assert not File.exists?(context.cache)
    end

    test "requests only what is read, and closes the connection when halted", context do
      {id, _commit, content} = with_model(context, 30_000_000)
      stream = Download.download_stream!(stream_opts(context, id))
      assert [chunk] = Enum.take(stream, 1)
      assert :binary.part(content, 0, byte_size(chunk)) == chunk
      assert Process.info(self(), :messages) == {:messages, []}
      eventually(fn -> match?([%{"aborted" => true}], requests(content)) end)
    end

    test "resumes a broken connection", context do
      {id, _commit, content} = with_model(context)
      fault(sha256(content), %{kind: "drop", after: 100_000}, %{times: 2})
      stream = Download.download_stream!(stream_opts(context, id))
      assert stream |> Enum.to_list() |> IO.iodata_to_binary() == content
    end

    test "raises instead of ending early", context do
      {id, _commit, content} = with_model(context)
      stream = Download.download_stream!([retries: 0] ++ stream_opts(context, id))
      fault(sha256(content), %{kind: "short", by: 10})
      assert_raise Error, ~r/closed before|broke/, fn -> Stream.run(stream) end
      missing = Download.download_stream!(Keyword.put(stream_opts(context, id), :filename, "none"))
      assert_raise Error, ~r/has no file "none"/, fn -> Stream.run(missing) end

      assert {:error, %Error{kind: :invalid_name}} =
               Download.download_stream(repo_id: "a/b", filename: "../x")
    end

    test "stops at :timeout", context do
      {id, _commit, content} = with_model(context)
      fault(sha256(content), %{kind: "stall", after: 1000})
      stream = Download.download_stream!([timeout: 200] ++ stream_opts(context, id))
      assert_raise Error, ~r/timeout of 200 ms/, fn -> Stream.run(stream) end
    end

    test "of unknown length returns nothing until it is verified", context do
      {id, _commit} = small(context)
      fault(id <> "*config.json", %{kind: "chunked"}, %{match: "*/#{id}/*config.json"})
      fault("x", %{kind: "header", name: "X-Linked-Size", value: nil}, %{match: "*#{id}*config.json"})
      stream = Download.download_stream!(Keyword.put(stream_opts(context, id), :filename, "config.json"))
      assert Enum.join(stream) == @files["config.json"]
      fault("x", %{kind: "corrupt", at: 2}, %{match: "*resolve-cache*#{id}*config.json"})
      assert_raise Error, ~r/hash/, fn -> Stream.run(stream) end
    end

    test "raises if the checksum does not match", context do
      {id, _commit, content} = with_model(context)
      fault(sha256(content), %{kind: "corrupt", at: 5})
      stream = Download.download_stream!(stream_opts(context, id))
      assert_raise Error, ~r/hash/, fn -> Stream.run(stream) end
    end

    defp stream_opts(context, id) do
      [endpoint: context.endpoint, repo_id: id, filename: "model.safetensors", retry_delay: 10]
    end
  end

  describe "options" do
    test "are validated", context do
      assert_raise ArgumentError, "unknown option :repoid. Did you mean :repo_id?", fn ->
        Download.hf_hub_download(repoid: "a/b")
      end

      assert_raise ArgumentError, "option :repo_id is required", fn ->
        Download.hf_hub_download(filename: "x")
      end

      assert_raise ArgumentError, ~r/:filename is required/, fn ->
        Download.hf_hub_download(repo_id: "a/b")
      end

      assert_raise ArgumentError, ~r/expected option :max_workers/, fn ->
        Download.snapshot_download(repo_id: "a/b", max_workers: 0)
      end

      assert_raise ArgumentError, ~r/:force_download cannot be combined/, fn ->
        Download.hf_hub_download(
          opts(context, repo_id: "a/b", filename: "x", force_download: true, local_files_only: true)
        )
      end
    end

    test "that contradict each other are rejected", context do
      call = [repo_id: "a/b", filename: "x"]

      assert_raise ArgumentError, ~r/mutually exclusive/, fn ->
        Download.hf_hub_download(
          opts(context, [progress: self(), progress_callback: fn _, _ -> :ok end] ++ call)
        )
      end

      assert_raise ArgumentError, ~r/:path/, fn -> Download.compute_sha256(nil) end

      for bad <- [
            cache_dir: "",
            local_dir: "",
            expected_sha256: "abc",
            etag_timeout: 10 ** 30,
            progress: :yes
          ] do
        assert_raise ArgumentError, ~r/expected option/, fn ->
          Download.hf_hub_download(opts(context, [bad | call]))
        end
      end

      assert {:error, %Error{kind: :repo_not_found}} =
               Download.hf_hub_download(opts(context, [timeout: :infinity] ++ call))
    end

    test "with names that escape the folder are rejected before any request", context do
      for bad <- [
            [filename: "../x"],
            [filename: "a/../../x"],
            [filename: "/x"],
            [filename: "C:\\x"],
            [revision: "../x"],
            [subfolder: ".."]
          ] do
        opts = Keyword.merge([repo_id: "a/b", filename: "x"], bad)

        assert {:error, %Error{kind: :invalid_name}} = Download.hf_hub_download(opts(context, opts)),
               inspect(bad)
      end

      assert {:error, %Error{kind: :invalid_name, message: message}} =
               Download.hf_hub_download(repo_id: "a/b/c", filename: "x")

      assert message =~ "accepted: "
      assert not File.exists?(context.cache)
    end
  end

  describe "a tuple for Bumblebee" do
    test "contains options of the call", context do
      {id, commit} = small(context)
      tuple = {:hf, id, revision: commit, subdir: "sub", cache_dir: context.cache, auth_token: token()}
      call = [repo_id: tuple, filename: "vocab.txt", endpoint: context.endpoint]
      path = Download.hf_hub_download!(call)
      assert path =~ context.cache and path =~ "/sub/vocab.txt"
      assert Enum.all?(requests(id), & &1["authorization"])
      offline = {:hf, id, offline: true, cache_dir: context.cache, revision: commit}

      assert Download.hf_hub_download!(Keyword.merge(call, repo_id: offline, filename: "sub/vocab.txt")) ==
               path

      assert {:error, %{kind: :offline, message: message}} =
               HfHub.Api.model_info({:hf, id, offline: true}, endpoint: context.endpoint)

      assert message =~ "offline: true in {:hf, id, opts}" and not (message =~ "HF_HUB_OFFLINE")

      for {opts, name} <- [
            {[token: "hf_secret"], ":token"},
            {[subdirr: "hf_secret"], ":subdirr"},
            {["x"], "keyword"}
          ] do
        error =
          assert_raise ArgumentError, ~r/unknown option in {:hf.*#{name}.*; known: /, fn ->
            Download.hf_hub_download(repo_id: {:hf, id, opts}, filename: "x")
          end

        refute error.message =~ "hf_secret"
      end
    end
  end

  describe "progress" do
    test "reaches a function, a pid and the callback of 0.3", context do
      {id, _commit, _content} = with_model(context)
      me = self()
      opts = opts(context, repo_id: id, filename: "model.safetensors", force_download: true)
      Download.hf_hub_download!([progress: me] ++ opts)

      assert_received {:hf_hub_progress,
                       %Progress{activity: :done, bytes_done: 300_000, bytes_total: 300_000, files_done: 1}}

      Download.hf_hub_download!([progress: fn progress -> send(me, {:seen, progress.activity}) end] ++ opts)
      assert_received {:seen, :done}

      Download.hf_hub_download!(
        [progress_callback: fn done, total -> send(me, {:bytes, done, total}) end] ++ opts
      )

      assert_received {:bytes, 300_000, 300_000}
    end

    test "reports the last state at a failure", context do
      {id, _commit, content} = with_model(context)
      fault(sha256(content), %{kind: "stall", after: 200_000})
      me = self()
      opts = opts(context, repo_id: id, progress: me, retries: 0, download_timeout: 100)
      assert {:error, %Error{kind: :timeout}} = Download.snapshot_download(opts)
      assert_received {:hf_hub_progress, %Progress{activity: :failed} = progress}
      assert progress.bytes_done in 1..300_000 and progress.bytes_total > 300_000
    end

    test "function that fails does not stop the download", context do
      {id, _commit} = small(context)

      for fun <- [fn _ -> raise "oops" end, fn _ -> throw(:oops) end, fn _ -> exit(:oops) end] do
        opts = opts(context, repo_id: id, filename: "config.json", force_download: true, progress: fun)
        log = capture_log(fn -> assert {:ok, _} = Download.hf_hub_download(opts) end)
        assert log =~ "the :progress function failed"
      end
    end
  end

  describe "an archive" do
    test "is unpacked next to its file", context do
      zip = make_zip(context, [{String.to_charlist("a/b.txt"), "hello"}])
      {id, _commit} = repo(context, %{"data.zip" => zip})
      opts = opts(context, repo_id: id, filename: "data.zip", extract: true)
      {:ok, folder} = Download.hf_hub_download(opts)
      assert Path.basename(folder) == "data"
      assert folder =~ "/extracted/" and not (folder =~ "/snapshots/")
      assert File.read!(Path.join(folder, "a/b.txt")) == "hello"
      assert Download.hf_hub_download!(opts) == folder
      elsewhere = Path.join(context.dir, "elsewhere")
      assert Download.hf_hub_download!([extract_dir: elsewhere] ++ opts) == elsewhere
      assert File.read!(Path.join(elsewhere, "a/b.txt")) == "hello"
    end

    test "is an error where its folder cannot be created", context do
      zip = make_zip(context, [{String.to_charlist("a.txt"), "hello"}])

      for {name, content} <- %{"data.zip" => zip, "a.txt.gz" => :zlib.gzip("hello")} do
        {id, _commit} = repo(context, %{name => content})
        opts = opts(context, repo_id: id, filename: name)
        file = Download.hf_hub_download!(opts)
        extracted = Path.join(file |> String.split("/snapshots/") |> hd(), "extracted")
        File.write!(extracted, "no folder")
        assert {:error, %Error{kind: :io}} = Download.hf_hub_download([extract: true] ++ opts)
        File.rm!(extracted)
        assert {:ok, _path} = Download.hf_hub_download([extract: true] ++ opts)
      end
    end

    test "never replaces a file of the repository", context do
      {id, _commit} = repo(context, %{"vocab.txt.gz" => :zlib.gzip("foreign"), "vocab.txt" => "own"})
      opts = opts(context, repo_id: id, filename: "vocab.txt")
      own = Download.hf_hub_download!(opts)
      unpacked = Download.hf_hub_download!(Keyword.merge(opts, filename: "vocab.txt.gz", extract: true))
      assert File.read!(unpacked) == "foreign"
      assert Path.basename(unpacked) == "vocab.txt"
      assert File.read!(Download.hf_hub_download!(opts)) == "own" and File.read!(own) == "own"
    end

    defp make_zip(context, entries) do
      path = Path.join(context.dir, "made.zip")
      {:ok, _} = :zip.create(String.to_charlist(path), entries)
      File.read!(path)
    end
  end

  describe "the token" do
    test "is sent to the endpoint only and never shown", context do
      {id, _commit, content} = with_model(context)
      opts = opts(context, repo_id: id, filename: "model.safetensors", token: token())

      log =
        capture_log(fn ->
          {:ok, _} = Download.hf_hub_download(opts)
          {:error, error} = Download.hf_hub_download(Keyword.put(opts, :filename, "none"))
          refute inspect(error) =~ "CANARY"
          refute Exception.message(error) =~ "CANARY"
        end)

      refute log =~ "CANARY"
      assert Enum.all?(requests(id), & &1["authorization"])
      assert Enum.all?(requests(content), &(&1["authorization"] == false))
      refute Enum.any?(tree(context.cache), fn {name, entry} -> inspect({name, entry}) =~ "CANARY" end)
    end
  end
end
