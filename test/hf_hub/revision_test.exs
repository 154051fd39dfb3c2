defmodule HfHub.RevisionTest do
  use HfHub.Case, async: true

  alias HfHub.{Download, Error, FS, Git, Revision}

  doctest Revision

  test "has the commit of a branch, with and without the Hub", context do
    {id, commit} = repo(context, %{"a.txt" => "1"}, repo_type: :dataset)
    opts = [repo_type: :dataset, cache_dir: context.cache]
    online = [endpoint: context.endpoint] ++ opts
    assert {:error, %Error{kind: :not_cached}} = Revision.resolve(id, [local_files_only: true] ++ opts)
    assert {:ok, %Revision{} = revision} = Revision.resolve(id, online)
    assert %{repo_id: ^id, repo_type: :dataset, requested: "main", resolved: ^commit} = revision
    assert inspect(revision) == "#HfHub.Revision<dataset, #{id}, main, #{commit}>"

    cached = [local_files_only: true, cache_dir: context.cache]
    assert HfHub.resolve_revision(id, cached ++ [repo_type: :dataset]) == {:ok, revision}
    assert HfHub.resolve_revision!("hf://datasets/#{id}@main", cached) == revision
    assert Git.resolve_revision!(id, online) == commit
    assert_raise Error, fn -> Revision.resolve!(id, [revision: "none", retries: 0] ++ online) end

    file = [repo_id: id, filename: "a.txt", revision: revision.resolved]
    assert {:ok, path} = Download.hf_hub_download(file ++ online)
    assert path =~ "/snapshots/#{commit}/a.txt"
  end

  test "names that would lead out of the cache have no path" do
    for function <- [&FS.snapshot_path/3, &FS.ref_path/3],
        {id, revision} <- [{"a/b", "../x"}, {"a/b", ""}, {"../b", "main"}],
        do: assert_raise(ArgumentError, fn -> function.(id, :model, revision) end)
  end
end
