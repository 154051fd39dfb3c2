defmodule HfHub.GitResolveTest do
  use HfHub.Case, async: true

  import ExUnit.CaptureLog

  alias HfHub.{Cache, Download, Error, Git, LocalHub}

  setup context do
    {id, first} = repo(context, %{"a.txt" => "1"})
    LocalHub.command!(hub(), ["repo", "tag", id, "v1"])
    {^id, second} = repo(context, %{"a.txt" => "2"}, id: id)
    {:ok, id: id, first: first, second: second}
  end

  test "returns the commit of a branch, a tag or the id's revision",
       %{id: id, first: first, second: second} = context do
    assert Git.resolve_revision(id, opts(context)) == {:ok, second}
    assert Git.resolve_revision(id, opts(context, revision: "v1")) == {:ok, first}
    assert Git.resolve_revision!("hf://#{id}@v1", opts(context)) == first
    paths = for request <- requests(id), do: request["path"]
    assert Enum.uniq(paths) == ["/api/models/#{id}/revision/main", "/api/models/#{id}/revision/v1"]
  end

  test "returns a commit without a request", %{id: id, first: first} = context do
    assert Git.resolve_revision(id, opts(context, revision: first)) == {:ok, first}

    assert Git.resolve_revision("org/none", opts(context, revision: first, endpoint: "http://127.0.0.1:1")) ==
             {:ok, first}

    assert requests(id) == []
  end

  test "reports a missing repository or revision", %{id: id} = context do
    assert {:error, %Error{kind: :revision_not_found}} =
             Git.resolve_revision(id, opts(context, revision: "none"))

    assert {:error, %Error{kind: :repo_not_found}} = Git.resolve_revision("org/none", opts(context))
    assert {:error, %Error{kind: :invalid_name}} = Git.resolve_revision("a/b/c", opts(context))
    # Also after it was found.
    assert {:ok, _commit} = Git.resolve_revision(id, opts(context))

    assert {:error, %Error{kind: kind}} =
             with_fault(id, 403, fn -> Git.resolve_revision(id, opts(context)) end)

    assert kind == :forbidden
  end

  defp with_fault(id, code, fun) do
    fault("#{id}/revision", %{kind: "status", code: code, headers: %{}, body: "{}"})
    fun.()
  end

  test "returns the commit stored last if the Hub fails or may not be asked",
       %{id: id, second: second} = context do
    lost = opts(context, endpoint: "http://127.0.0.1:1", retries: 0)
    assert {:error, %Error{kind: :transport}} = Git.resolve_revision(id, lost)

    assert {:error, %Error{kind: :not_cached} = error} =
             Git.resolve_revision(id, opts(context, local_files_only: true))

    assert error.message =~ id and error.message =~ "main"

    assert {:ok, ^second} = Git.resolve_revision(id, opts(context))
    asked = length(requests(id))
    assert Git.resolve_revision(id, opts(context, local_files_only: true)) == {:ok, second}
    assert length(requests(id)) == asked

    log = capture_log(fn -> assert Git.resolve_revision(id, lost) == {:ok, second} end)
    assert log =~ "cached commit of main of #{id}"

    log =
      capture_log(fn ->
        assert with_fault(id, 500, fn -> Git.resolve_revision(id, opts(context)) end) == {:ok, second}
      end)

    assert log =~ "cached commit of main"
    # Without waiting for the Hub.
    assert length(requests(id)) == asked + 1
  end

  test "leaves a sound cache, whose empty snapshot is not a download", %{id: id, second: second} = context do
    commit = Git.resolve_revision!(id, opts(context))

    assert %{warnings: [], repos: [%{revisions: [%{commit_hash: ^commit, refs: ["main"]}]}]} =
             Cache.scan!(cache_dir: context.cache)

    local = opts(context, repo_id: id, local_files_only: true)
    assert {:error, %Error{kind: :not_cached}} = Download.snapshot_download(local)
    assert {:error, %Error{kind: :not_cached}} = Download.hf_hub_download([filename: "a.txt"] ++ local)

    pinned = opts(context, repo_id: id, revision: commit, filename: "a.txt")
    assert File.read!(Download.hf_hub_download!(pinned)) == "2"
    assert Download.hf_hub_download!([filename: "a.txt"] ++ local) == Download.hf_hub_download!(pinned)
    assert {:ok, folder} = Download.snapshot_download(local)
    assert Path.basename(folder) == second
  end

  test "a cache that cannot be written is no error", %{id: id, second: second} = context do
    File.write!(context.cache, "a file")
    assert Git.resolve_revision(id, opts(context)) == {:ok, second}
  end

  @tag :python
  test "resolves as the Python client does, which uses the stored commits",
       %{id: id, first: first, second: second} = context do
    assert {:ok, ^second} = Git.resolve_revision(id, opts(context))
    assert {:ok, ^first} = Git.resolve_revision(id, opts(context, revision: "v1"))
    ours = for request <- requests(id), do: {request["method"], request["path"]}

    script = """
    import tempfile
    for revision in None, "v1", "#{first}":
        print(resolve_revision("#{id}", revision=revision, cache_dir=tempfile.mkdtemp()).resolved)
    for revision in None, "v1":
        print(resolve_revision("#{id}", revision=revision, local_files_only=True).resolved)
    info = scan_cache_dir()
    print(len(info.warnings), [sorted(r.refs) for repo in info.repos for r in repo.revisions if r.commit_hash == "#{second}"])
    """

    output = HfHub.Python.run!(script, context.endpoint, context.cache) |> String.split("\n")
    assert output == [second, first, first, second, first, "0 [['main']]"]
    theirs = for request <- Enum.drop(requests(id), length(ours)), do: {request["method"], request["path"]}
    # Of `main`, the Python client requests the information without a revision.
    assert ours == [{"GET", "/api/models/#{id}/revision/main"}, {"GET", "/api/models/#{id}/revision/v1"}]
    assert theirs == [{"GET", "/api/models/#{id}"}, {"GET", "/api/models/#{id}/revision/v1"}]
  end
end
