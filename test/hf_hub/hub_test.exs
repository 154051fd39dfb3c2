defmodule HfHub.HubTest do
  # Files by their URLs, and repositories as in Bumblebee, against the Local Hub.
  use HfHub.Case, async: true

  import ExUnit.CaptureLog

  alias HfHub.{Error, Hub, RepoFiles, Repository}

  doctest HfHub.Hub
  doctest HfHub.Repository
  doctest HfHub.RepoFiles

  @files %{"config.json" => "{}", "a b/ü.txt" => "text", "model.bin" => "weights"}

  setup context do
    {id, commit} =
      repo(context, Map.put(@files, ".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n"))

    {:ok, id: id, commit: commit, url: context.endpoint <> "/#{id}/resolve/main/"}
  end

  defp etag(content), do: ~s("#{sha256(content)}")

  defp git_etag(content) do
    id = :crypto.hash(:sha, "blob #{byte_size(content)}\0" <> content)
    ~s("#{Base.encode16(id, case: :lower)}")
  end

  test "repositories are normalized, and others raise without showing a token" do
    assert Repository.normalize!({:hf, "a/b"}) == {:hf, "a/b", []}
    all = [revision: "v1", cache_dir: "/c", offline: true, auth_token: "hf_x", subdir: "d"]
    assert Repository.normalize!({:hf, "a/b", all}) == {:hf, "a/b", all}
    assert Repository.normalize!({:local, "/d"}) == {:local, "/d"}

    for bad <- [
          "a/b",
          {:hf, :id},
          {:hf, "a/b", %{}},
          {:hf, "a/b", auth_token: "hf_CANARY", no: 1},
          {:local, nil}
        ] do
      error = assert_raise ArgumentError, fn -> Repository.normalize!(bad) end
      refute error.message =~ "CANARY"
    end
  end

  test "URLs are encoded and lead to the file", context do
    assert Repository.file_url({:hf, "a/b", subdir: "x y"}, "ü#?.txt") ==
             "https://huggingface.co/a/b/resolve/main/x%20y/%C3%BC%23%3F.txt"

    assert Hub.file_listing_url("a/b", "x/y z", "refs/pr/1") ==
             "https://huggingface.co/api/models/a/b/tree/refs%2Fpr%2F1/x/y%20z"

    for subdir <- ["/x", "x/", "/x/"] do
      in_folder = {:hf, "a/b", subdir: subdir}
      assert Repository.file_url(in_folder, "f") == "https://huggingface.co/a/b/resolve/main/x/f"
      assert Repository.file_listing_url(in_folder) == "https://huggingface.co/api/models/a/b/tree/main/x"
    end

    for subdir <- ["", "/"] do
      in_root = {:hf, "a/b", subdir: subdir}
      assert Repository.file_url(in_root, "f") == "https://huggingface.co/a/b/resolve/main/f"
      assert Repository.file_listing_url(in_root) == "https://huggingface.co/api/models/a/b/tree/main"
    end

    assert_raise ArgumentError, fn -> Repository.file_url({:local, "/d"}, "f") end
    assert_raise ArgumentError, ~r/invalid repository/, fn -> Repository.file_url("a b", "f") end
    url = Hub.file_url(context.id, "a b/ü.txt", context.commit)
    assert {:ok, path} = Hub.cached_download(url, opts(context))
    assert File.read!(path) == "text"
  end

  test "URLs are those of repositories of every type, and of all names for them" do
    hub = "https://huggingface.co/"

    for {repo, opts, path} <- [
          {"a/b", [repo_type: "dataset", subfolder: "s", revision: "v1"], "datasets/a/b/resolve/v1/s/f"},
          {"hf://spaces/a/b@v1/x", [], "spaces/a/b/resolve/v1/x/f"},
          {{:hf, "hf://datasets/a/b"}, [], "datasets/a/b/resolve/main/f"},
          {{:hf, "datasets/a/b", revision: "v1"}, [], "datasets/a/b/resolve/v1/f"},
          {"gpt2", [], "gpt2/resolve/main/f"}
        ],
        do: assert(Repository.file_url(repo, "f", opts) == hub <> path)

    assert Repository.file_url("a/b", "f", endpoint: "http://hub.lan/") == "http://hub.lan/a/b/resolve/main/f"
    assert Repository.file_listing_url("hf://datasets/a/b@v1/x") == hub <> "api/datasets/a/b/tree/v1/x"
    assert Repository.file_listing_url("a/b", repo_type: :space) == hub <> "api/spaces/a/b/tree/main"
  end

  test "a file of every type of repository is downloaded by its URL into the shared cache", context do
    for {type, prefix} <- [model: "", dataset: "datasets/", space: "spaces/"] do
      {id, commit} = repo(context, %{"f.txt" => "#{type}"}, repo_type: type)
      url = "#{context.endpoint}/#{prefix}#{id}/resolve/main/f.txt"
      assert {:ok, path} = Hub.cached_download(url, opts(context))
      assert File.read!(path) == "#{type}"
      assert path =~ "snapshots/#{commit}/f.txt"
      assert Hub.cached_download!(url, opts(context, offline: true)) == path
    end
  end

  test "a cached file with the known etag needs no request", context do
    url = context.url <> "model.bin"
    assert {:ok, files} = RepoFiles.get_repo_files({:hf, context.id}, endpoint: context.endpoint)
    known = opts(context, etag: files["model.bin"], cache_scope: "scope")
    assert {:ok, path} = Hub.cached_download(url, known)
    asked = length(requests(context.id))
    assert Hub.cached_download(url, known) == {:ok, path}
    assert length(requests(context.id)) == asked
    assert Hub.cached_download(url, opts(context, etag: ~s("another"))) == {:ok, path}
    assert length(requests(context.id)) == asked + 1
  end

  test "errors are texts, and raised with their kinds", context do
    for {url, kind, word} <- [
          {context.url <> "none.txt", :entry_not_found, "none.txt"},
          {context.endpoint <> "/org/none/resolve/main/f", :repo_not_found, "org/none"},
          {context.endpoint <> "/#{context.id}/resolve/v9/f", :revision_not_found, "v9"},
          {context.endpoint <> "/#{context.id}", :invalid_name, "the URL of a file"},
          {Hub.file_listing_url(context.id, nil, nil), :invalid_name, "not the page of a repository"}
        ] do
      assert {:error, text} = Hub.cached_download(url, opts(context))
      assert text =~ word
      error = assert_raise Error, fn -> Hub.cached_download!(url, opts(context)) end
      assert error.kind == kind
    end

    assert {:error, text} = Hub.cached_download(context.url <> "config.json", opts(context, offline: true))
    assert text =~ "config.json"
    assert_raise ArgumentError, fn -> Hub.cached_download(context.url, etags: "x") end
  end

  test "a password in a URL is not shown" do
    for url <- [
          "https://me:CANARY@huggingface.co/org/name",
          "https://me:CANARY@example.com/org/name/resolve/main/f"
        ] do
      assert {:error, text} = Hub.cached_download(url)
      refute text =~ "CANARY"
    end
  end

  test "the token is sent by its name in Bumblebee", context do
    {id, _commit} =
      repo(context, %{"f" => "secret"}, private: true, id: "reader/p-#{System.unique_integer([:positive])}")

    url = context.endpoint <> "/#{id}/resolve/main/f"
    assert {:error, _text} = Hub.cached_download(url, opts(context, auth_token: false))
    assert {:ok, path} = Hub.cached_download(url, opts(context, auth_token: token()))
    assert File.read!(path) == "secret"

    at = [endpoint: context.endpoint]
    assert {:error, _text} = RepoFiles.get_repo_files({:hf, id}, at)
    assert {:ok, %{"f" => _etag}} = RepoFiles.get_repo_files({:hf, id, auth_token: token()}, at)
  end

  test "files have the etags that the Hub sends", context do
    assert {:ok, files} = RepoFiles.get_repo_files({:hf, context.id}, endpoint: context.endpoint)

    assert Map.delete(files, ".gitattributes") == %{
             "config.json" => git_etag("{}"),
             "model.bin" => etag("weights")
           }

    assert {:ok, %{"ü.txt" => etag}} =
             RepoFiles.get_repo_files({:hf, context.id, subdir: "a b", revision: context.commit},
               endpoint: context.endpoint
             )

    assert etag == git_etag("text")

    for subdir <- ["a b/", "/a b"] do
      repository = {:hf, context.id, subdir: subdir}

      assert RepoFiles.get_repo_files(repository, endpoint: context.endpoint) ==
               {:ok, %{"ü.txt" => git_etag("text")}}
    end

    assert RepoFiles.get_repo_files!({:hf, context.id}, endpoint: context.endpoint) == files
  end

  test "files of a dataset are listed, too", context do
    {id, _commit} = repo(context, %{"f.csv" => "a"}, repo_type: :dataset)
    opts = [endpoint: context.endpoint, repo_type: :dataset]
    assert {:ok, %{"f.csv" => _etag}} = RepoFiles.get_repo_files({:hf, id}, opts)
  end

  test "offline, the files are those in the cache, with the same etags", context do
    offline = {:hf, context.id, cache_dir: context.cache, offline: true}
    assert {:error, text} = RepoFiles.get_repo_files(offline, endpoint: context.endpoint)
    assert is_binary(text)

    for name <- ["config.json", "a b/ü.txt"],
        do: Hub.cached_download!(context.url <> URI.encode(name), opts(context))

    assert RepoFiles.get_repo_files(offline) == {:ok, %{"config.json" => git_etag("{}")}}

    in_folder = {:hf, context.id, cache_dir: context.cache, offline: true, subdir: "a b"}
    assert RepoFiles.get_repo_files(in_folder) == {:ok, %{"ü.txt" => git_etag("text")}}
  end

  test "the files of a snapshot that is not complete are returned offline", context do
    file = [
      repo_id: context.id,
      filename: "config.json",
      endpoint: context.endpoint,
      cache_dir: context.cache
    ]

    HfHub.Download.hf_hub_download!(file)
    offline = {:hf, context.id, cache_dir: context.cache, offline: true}
    assert {:ok, files} = RepoFiles.get_repo_files(offline, endpoint: context.endpoint)
    assert Map.keys(files) == ["config.json"]
    none = {:hf, context.id, cache_dir: context.cache, offline: true, revision: String.duplicate("a", 40)}
    assert {:error, _text} = RepoFiles.get_repo_files(none, endpoint: context.endpoint)
  end

  test "the files in the cache are returned at once if the Hub cannot be reached", context do
    {:ok, socket} = :gen_tcp.listen(0, [])
    {:ok, port} = :inet.port(socket)
    :gen_tcp.close(socket)
    opts = [endpoint: "http://127.0.0.1:#{port}"]
    repository = {:hf, context.id, cache_dir: context.cache}
    error = assert_raise Error, fn -> RepoFiles.get_repo_files!(repository, opts) end
    assert error.kind == :transport and error.message =~ "gave up after 2 attempts"
    Hub.cached_download!(context.url <> "model.bin", opts(context))
    files = {:ok, %{"model.bin" => etag("weights")}}
    log = capture_log(fn -> assert RepoFiles.get_repo_files(repository, opts) == files end)
    assert log =~ "using the cached files" and not (log =~ "attempts")
  end

  test "local files have no etags, and folders are left out", context do
    dir = folder(context, %{"config.json" => "{}", "sub/x" => "x"})
    assert RepoFiles.get_repo_files({:local, dir}) == {:ok, %{"config.json" => nil}}
    assert {:error, text} = RepoFiles.get_repo_files({:local, Path.join(dir, "none")})
    assert text =~ "could not read"
    error = assert_raise Error, fn -> RepoFiles.get_repo_files!({:local, Path.join(dir, "config.json")}) end
    assert error.kind == :io
  end

  test "the functions of the main module are the same", context do
    assert HfHub.file_url("a/b", "c", nil) == Hub.file_url("a/b", "c", nil)
    assert HfHub.file_listing_url("a/b", "c", nil) == Hub.file_listing_url("a/b", "c", nil)
    assert {:ok, path} = HfHub.cached_download(context.url <> "config.json", opts(context))
    assert HfHub.cached_download!(context.url <> "config.json", opts(context)) == path
    assert {:ok, files} = HfHub.get_repo_files({:hf, context.id}, endpoint: context.endpoint)
    assert HfHub.get_repo_files!({:hf, context.id}, endpoint: context.endpoint) == files
  end
end
