defmodule HfHub.CacheTreeTest do
  use HfHub.Case, async: true

  alias HfHub.{Api, Cache, Download, Error}

  setup context do
    {id, commit} = repo(context, %{"a.txt" => "1", "sub/b.txt" => "2", "model.safetensors" => large(20_000)})
    {:ok, id: id, commit: commit, where: [cache_dir: context.cache]}
  end

  test "has the files of a revision as the Hub lists them, downloaded or not", context do
    %{id: id, commit: commit, where: where} = context
    assert {:error, %Error{kind: :not_cached}} = Cache.tree(id, where)
    Download.snapshot_download!(opts(context, repo_id: id, allow_patterns: "a.txt"))
    before = length(requests(id))

    assert {:ok, files} = Cache.tree(id, where)
    assert Cache.tree!(id, [revision: commit] ++ where) == files
    assert for(file <- Cache.tree!({:hf, id, subdir: "sub"}, where), do: file.path) == ["sub/b.txt"]
    assert length(requests(id)) == before

    listed =
      for(
        %{type: :file} = file <- Api.list_repo_tree!(id, recursive: true, endpoint: context.endpoint),
        do: file
      )

    facts = &{&1.path, &1.size, &1.oid, &1.lfs && {&1.lfs.sha256, &1.lfs.size}, &1.xet_hash}
    assert Enum.map(files, facts) == listed |> Enum.map(facts) |> Enum.sort()
  end

  test "is in the folder of a download, too", %{id: id, commit: commit, where: where} = context do
    folder = Path.join(context.dir, "folder")
    Download.snapshot_download!(opts(context, repo_id: id, local_dir: folder))
    assert {:ok, [_, _, _, _]} = Cache.tree(id, [local_dir: folder, revision: commit] ++ where)
    assert {:error, %Error{kind: :not_cached} = error} = Cache.tree(id, [revision: commit] ++ where)
    assert error.message =~ "is not in the cache"

    File.write!(Path.join([folder, ".cache/huggingface/trees", commit <> ".json"]), "{")

    assert {:error, %Error{kind: :not_cached}} =
             Cache.tree(id, [local_dir: folder, revision: commit] ++ where)

    assert_raise Error, fn -> Cache.tree!(id, [revision: "none"] ++ where) end
  end

  test "is not that of a damaged or newer file", %{id: id, commit: commit, where: where} = context do
    folder = Download.snapshot_download!(opts(context, repo_id: id))
    path = Path.join([Path.dirname(Path.dirname(folder)), "trees", commit <> ".json"])
    good = File.read!(path)

    files = [
      ~s({"a.txt": 1}),
      ~s({"a.txt": {}}),
      ~s({"a.txt": {"size": "1", "blob_id": "b"}}),
      ~s({"a.txt": {"size": -1, "blob_id": "b"}}),
      ~s({"a.txt": {"size": 1, "blob_id": null}}),
      ~s({"a.txt": {"size": 1, "blob_id": "b", "lfs_sha256": 1}}),
      ~s([])
    ]

    for text <-
          ["[]", "", ~s({"format_version": 2, "files": {}})] ++
            Enum.map(files, &~s({"format_version": 1, "files": #{&1}})) do
      File.write!(path, text)
      assert {^text, {:error, %Error{kind: :not_cached}}} = {text, Cache.tree(id, where)}
    end

    File.write!(path, good)
    assert [_, _, _, _] = Cache.tree!(id, where)
  end
end
