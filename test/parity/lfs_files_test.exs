defmodule HfHub.Parity.LFSFilesTest do
  use HfHub.TwoHubs

  alias HfHub.LFS

  test "calls about large files send the same requests and return the same", %{ours: ours} = context do
    attributes = %{".gitattributes" => "*.bin filter=lfs diff=lfs merge=lfs -text\n"}

    command(context, [
      "import",
      folder(context, Map.merge(attributes, %{"a.bin" => "a", "b.bin" => "b"})),
      "acme/r"
    ])

    theirs =
      theirs(context, """
      files = list(api.list_lfs_files("acme/r"))
      print(sorted((f.file_oid, f.filename, f.oid, f.ref, f.size) for f in files))
      api.permanently_delete_lfs_files("acme/r", files[:1])
      api.permanently_delete_lfs_files("acme/r", files[1:], rewrite_history=False)
      api.permanently_delete_lfs_files("acme/r", [])
      print(len(list(api.list_lfs_files("acme/r"))))
      """)

    files = LFS.list_files!("acme/r", ours)

    shown =
      for file <- Enum.sort_by(files, & &1.file_oid) do
        "('#{file.file_oid}', '#{file.filename}', '#{file.oid}', '#{file.ref}', #{file.size})"
      end

    LFS.permanently_delete_files!("acme/r", Enum.take(files, 1), ours)
    LFS.permanently_delete_files!("acme/r", tl(files), [rewrite_history: false] ++ ours)
    LFS.permanently_delete_files!("acme/r", [], ours)
    assert LFS.list_files!("acme/r", ours) == []
    assert theirs == "[#{Enum.join(shown, ", ")}]\n0"
    assert_same(context)
  end

  test "an attachment is sent in the same request", %{ours: ours} = context do
    png = <<0x89, "PNG\r\n", 0x1A, "\n", 0::80>>
    path = Path.join(write_files(context.dir, %{"a.png" => png}), "a.png")
    theirs = theirs(context, "print(api.upload_attachment(#{inspect(path)}))")
    assert {:ok, url} = HfHub.Attachments.upload(path, ours)
    assert URI.parse(url).path == URI.parse(theirs).path
    assert_same(context)
  end
end
