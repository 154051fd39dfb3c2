defmodule HfHub.LFSFilesTest do
  use HfHub.Case, async: true

  alias HfHub.{Download, Error, Git, LFS, Webhooks}
  alias HfHub.LFS.FileInfo

  setup context do
    [old, new, kept] = for _ <- 1..3, do: large(2000)
    id = writable(context, %{"a.bin" => old, "b.bin" => kept})
    Git.create_tag!(id, "v1", write())
    HfHub.Commit.upload_file!({:binary, new}, "a.bin", id, write())
    {:ok, id: id, old: old, new: new, kept: kept}
  end

  test "lists the large files of all commits", %{id: id, old: old, new: new, kept: kept} do
    assert {:ok, files} = LFS.list_files(id, write())
    assert Enum.sort(Enum.map(files, & &1.file_oid)) == Enum.sort(Enum.map([old, new, kept], &sha256/1))
    newest = Enum.find(files, &(&1.file_oid == sha256(new)))
    assert %FileInfo{filename: "a.bin", size: 2000, ref: "refs/heads/main", pusher: "reader"} = newest
    assert %DateTime{} = newest.pushed_at
    assert Enum.to_list(LFS.stream_files(id, write())) == files
    assert length(LFS.list_files!(id, write(limit: 2))) == 2
    assert {:error, %Error{kind: :repo_not_found, status: 401}} = LFS.list_files(id, write(token: false))
  end

  test "deletes files for good, in all commits", %{id: id, old: old, kept: kept} = context do
    old_ones = LFS.stream_files(id, write()) |> Stream.filter(&(&1.file_oid == sha256(old)))
    assert LFS.permanently_delete_files(id, old_ones, write()) == :ok
    assert length(LFS.list_files!(id, write())) == 2
    assert content(context, id, revision: "v1") |> Map.delete(".gitattributes") == %{"b.bin" => kept}
    assert Map.keys(content(context, id)) == [".gitattributes", "a.bin", "b.bin"]
  end

  test "without a rewrite, the files cannot be downloaded any more", %{id: id, kept: kept} = context do
    head = hd(Git.list_commits!(id, write())).id

    assert LFS.permanently_delete_files!(id, [String.upcase(sha256(kept))], write(rewrite_history: false)) ==
             :ok

    assert hd(Git.list_commits!(id, write())).id == head
    opts = opts(context, repo_id: id, filename: "b.bin", token: token())
    assert {:error, %Error{kind: :entry_not_found}} = Download.hf_hub_download(opts)
    assert LFS.permanently_delete_files(id, [], write()) == :ok
  end

  test "mistakes raise, and nothing is deleted", %{id: id} do
    for files <- [["x"], [nil], [String.duplicate("g", 64)]] do
      assert_raise ArgumentError, ~r/64 hex digits/, fn ->
        LFS.permanently_delete_files(id, files, write())
      end
    end

    assert {:error, %Error{kind: :invalid_name}} = LFS.list_files(id <> "@v1", write())
    assert {:error, %Error{kind: :repo_not_found}} = LFS.list_files("reader/none", write())
    assert length(LFS.list_files!(id, write())) == 3
  end

  test "a rewrite is an event of the refs that were moved", %{id: id, old: old} do
    receiver = HfHub.Receiver.start()
    webhook = Webhooks.create!(receiver.url, write(watched: [{:model, id}]))
    LFS.permanently_delete_files!(id, [sha256(old)], write())
    assert_receive {:received, %{body: body}}, 20_000
    {:ok, payload} = Webhooks.decode_payload(body)
    assert Enum.sort(Enum.map(payload.updated_refs, & &1.ref)) == ["refs/heads/main", "refs/tags/v1"]
    Webhooks.delete!(webhook.id, write())
  end
end
