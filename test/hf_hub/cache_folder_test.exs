defmodule HfHub.CacheFolderTest do
  use HfHub.Case, async: true

  alias HfHub.{Cache, Download, Error}
  alias HfHub.Cache.FolderVerification

  doctest FolderVerification

  setup context do
    files = %{"a.txt" => "one", "sub/b.txt" => "two", "large.bin" => large(20_000)}
    {id, commit} = repo(context, Map.put(files, ".gitattributes", "*.bin filter=lfs\n"))
    folder = Path.join(context.dir, "copy")
    ask = [endpoint: context.endpoint]
    {:ok, ^folder} = Download.snapshot_download([repo_id: id, local_dir: folder] ++ ask)
    {:ok, id: id, commit: commit, folder: folder, ask: ask}
  end

  test "a download is like the repository", %{id: id, folder: folder, ask: ask, commit: commit} do
    assert {:ok, %FolderVerification{} = found} = Cache.verify_folder(folder, id, ask)
    assert %{checked_count: 4, mismatches: [], missing_paths: [], extra_paths: [], revision: "main"} = found
    assert found.verified_path == folder
    assert FolderVerification.sound?(found)
    assert inspect(found) == "#HfHub.Cache.FolderVerification<4 files, 0 mismatches, 0 missing, 0 extra>"
    assert %{revision: ^commit} = Cache.verify_folder!(folder, id, [revision: commit, max_workers: 1] ++ ask)
  end

  test "one of each is named in the singular", %{id: id, folder: folder, ask: ask} do
    File.write!(Path.join(folder, "a.txt"), "two")
    found = Cache.verify_folder!(folder, id, ask)
    assert inspect(found) == "#HfHub.Cache.FolderVerification<4 files, 1 mismatch, 0 missing, 0 extra>"
  end

  test "files that differ, are missing or are extra are named", %{id: id, folder: folder, ask: ask} do
    File.write!(Path.join(folder, "sub/b.txt"), "TWO")
    File.write!(Path.join(folder, "large.bin"), "small")
    File.rm!(Path.join(folder, "a.txt"))
    write_files(folder, %{"new.txt" => "", ".git/config" => "", "sub/.git/HEAD" => ""})
    assert {:ok, found} = Cache.verify_folder(folder, id, ask)
    assert %{checked_count: 3, missing_paths: ["a.txt"], extra_paths: ["new.txt"]} = found
    assert [%{path: "large.bin", algorithm: :sha256} = large, small] = found.mismatches
    assert large.actual == sha256("small")

    # The git object ids of the contents.
    assert small == %{
             path: "sub/b.txt",
             algorithm: :git_sha1,
             expected: "64c5e5885a4b06010b3a0c20edb7900dd0311025",
             actual: "17f548e79974656068a85acdc6111fc95b87a652"
           }

    refute FolderVerification.sound?(found)
  end

  test "a folder of a repository is compared on its own", %{id: id, folder: folder, ask: ask} do
    File.write!(Path.join(folder, "new.txt"), "")
    assert {:ok, found} = Cache.verify_folder(folder, {:hf, id, subdir: "sub"}, ask)
    assert %{checked_count: 1, missing_paths: [], extra_paths: []} = found
  end

  test "a missing folder, repository or revision is an error", %{id: id, folder: folder, ask: ask} do
    assert {:error, %Error{kind: :io}} = Cache.verify_folder(folder <> "x", id, ask)
    assert {:error, %Error{kind: :repo_not_found}} = Cache.verify_folder(folder, id <> "x", ask)

    assert {:error, %Error{kind: :revision_not_found}} =
             Cache.verify_folder(folder, id, [revision: "x"] ++ ask)

    assert_raise Error, fn -> Cache.verify_folder!(folder <> "x", id, ask) end
    assert_raise ArgumentError, ~r/:folder/, fn -> Cache.verify_folder("", id, ask) end
  end

  test "a listing without hashes of contents is an error, not a difference", %{dir: dir} do
    folder = write_files(Path.join(dir, "mirrored"), %{"a.txt" => "one"})

    for listed <- [%{oid: "id-of-a-mirror"}, %{oid: nil}, %{oid: "1", lfs: %{oid: "none", size: 3}}] do
      file = Map.merge(%{type: "file", path: "a.txt", size: 3}, listed)
      hub = HfHub.Test.start_hub(%{}, routes: %{"GET /api/models/org/m/tree/main" => [file]})

      assert {:error, %Error{kind: :invalid_response} = error} =
               Cache.verify_folder(folder, "org/m", endpoint: hub.endpoint)

      assert error.message =~ ~s(no hash of the content of "a.txt")
    end
  end
end
