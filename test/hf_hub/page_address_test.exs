defmodule HfHub.PageAddressTest do
  # Every function that accepts a repository accepts the URL of its page at the `:endpoint` of the call.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Commit, Download, Error, FS}
  alias HfHub.Commit.Operation

  defp page(id, more \\ ""), do: "#{endpoint()}/#{id}#{more}"

  test "commits accept the URL of a page at the endpoint", context do
    id = writable(context, %{"a.txt" => "a"})
    HfHub.Git.create_branch!(id, "dev", write())
    assert {:ok, info} = Commit.upload_file({:binary, "x"}, "b.txt", page(id), write())
    assert info.repo_url == page(id)

    operations = [Operation.add("c.txt", {:binary, "c"}), Operation.delete("a.txt")]
    assert {:ok, _info} = Commit.create(page(id, "/tree/main"), operations, write(commit_message: "m"))

    dir = folder(context, %{"d.txt" => "d"})
    assert {:ok, _info} = Commit.upload_folder(dir, page(id), write())
    assert {:ok, [_one]} = Commit.upload_large_folder(dir, page(id), write(path_in_repo: "e"))
    assert {:ok, _info} = Commit.delete_file("b.txt", page(id), write())
    assert {:ok, _info} = Commit.delete_files(page(id), "c*", write())
    assert {:ok, _info} = Commit.delete_folder("e", page(id), write())
    add = Operation.add("f.bin", {:binary, "f"})
    assert {:ok, [%{content: :uploaded}]} = Commit.preupload_lfs_files(page(id), [add], write())
    assert Map.keys(content(context, id)) == [".gitattributes", "d.txt"]

    # The revision in the URL is the branch.
    assert {:ok, _info} = Commit.upload_file({:binary, "x"}, "dev.txt", page(id, "/tree/dev"), write())
    assert Map.has_key?(content(context, id, revision: "dev"), "dev.txt")
    refute Map.has_key?(content(context, id), "dev.txt")
  end

  test "copies accept a URL as their source", context do
    source = writable(context, %{"s.txt" => "s", "m.bin" => large(2000)}, repo_type: :dataset)
    id = writable(context)
    address = "#{endpoint()}/datasets/#{source}"

    operations = [
      Operation.copy("s.txt", "one.txt", src_repo_id: address),
      Operation.copy("m.bin", "two.bin", src_repo_id: address <> "/tree/main"),
      Operation.copy("s.txt", "three.txt", src_repo_id: "hf://datasets/#{source}")
    ]

    assert {:ok, _info} = Commit.create(id, operations, write(commit_message: "m", verify: true))
    assert %{"one.txt" => "s", "two.bin" => _, "three.txt" => "s"} = content(context, id)

    operation = Operation.copy("s.txt", "x", src_repo_id: address <> "/blob/main/s.txt")

    assert {:error, %Error{kind: :invalid_name} = error} =
             Commit.create(id, [operation], write(commit_message: "m"))

    assert error.message =~ ~s("s.txt" as the path to copy from)

    operation = Operation.copy("s.txt", "x", src_repo_id: "http://elsewhere.example/#{source}")

    assert {:error, %Error{kind: :invalid_name} = error} =
             Commit.create(id, [operation], write(commit_message: "m"))

    assert error.message =~ "neither the Hugging Face Hub nor the endpoint in use"
  end

  test "cache functions accept the URL of a page at the endpoint", context do
    id = writable(context, %{"a.txt" => "a"})
    at = [cache_dir: context.cache, endpoint: endpoint()]
    path = Download.hf_hub_download!(opts(context, repo_id: page(id), filename: "a.txt", token: token()))
    one = [repo_id: page(id)] ++ at

    assert Cache.cached?([filename: "a.txt"] ++ one)
    assert {:ok, ^path} = Cache.cache_path([filename: "a.txt"] ++ one)
    assert {:ok, %{total_files: 1}} = Cache.validate_integrity(one)
    assert {:ok, lease} = Cache.lease(page(id), at)
    assert lease.repo_id == id
    Cache.release(lease)
    assert {:ok, _pinned} = Cache.pin(page(id), at)
    assert {:ok, _unpinned} = Cache.unpin(page(id), at)
    assert {:ok, _folder} = Cache.materialize(page(id), Path.join(context.dir, "plain"), at)
    assert {:ok, lock} = FS.lock_file(page(id), "a.txt", at)
    FS.unlock_file(lock)
    archive = Path.join(context.dir, "repo.tar")
    assert {:ok, _archive} = Cache.export(archive, [targets: [page(id, "/tree/main")]] ++ at)
    assert {:ok, %{unknown: []}} = Cache.delete_revisions([page(id)], [dry_run: true] ++ at)
    assert :ok = Cache.clear_cache(one)
    refute Cache.cached?([filename: "a.txt"] ++ one)
  end

  test "URLs of other hosts are rejected", context do
    for call <- [
          &Commit.upload_file({:binary, "x"}, "a", &1, write()),
          &Commit.delete_file("a", &1, write()),
          &Cache.lease(&1, cache_dir: context.cache, endpoint: endpoint())
        ] do
      assert {:error, %Error{kind: :invalid_name} = error} = call.("http://elsewhere.example/me/x")
      assert error.message =~ "neither the Hugging Face Hub nor the endpoint in use"
    end
  end
end
