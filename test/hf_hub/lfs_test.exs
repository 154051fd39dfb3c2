defmodule HfHub.LFSTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, LFS}
  alias HfHub.LFS.UploadInfo

  doctest HfHub.LFS
  doctest HfHub.LFS.UploadInfo

  test "files and bytes have the same information", context do
    for size <- [0, 1, 512, 513, 3_000_000] do
      content = :crypto.strong_rand_bytes(size)
      path = Path.join(context.dir, "f")
      File.write!(path, content)
      assert %UploadInfo{} = info = UploadInfo.from_path(path)
      assert info == UploadInfo.from_binary(content)
      assert info.size == size
      assert info.sample == binary_part(content, 0, min(size, 512))
      assert LFS.oid(info) == sha256(content)
      assert LFS.sha256_hex(info) == LFS.oid(info)
    end
  end

  test "a sample does not keep the whole content in memory" do
    info = 1_000_000 |> :crypto.strong_rand_bytes() |> UploadInfo.from_binary()
    assert :binary.referenced_byte_size(info.sample) == 512
  end

  test "the error of a file that cannot be read names it", context do
    for path <- [Path.join(context.dir, "missing"), context.dir] do
      error = assert_raise Error, fn -> UploadInfo.from_path(path) end
      assert error.kind == :io
      assert Exception.message(error) =~ path
    end
  end

  test "the content is not shown" do
    shown = inspect(UploadInfo.from_binary("hf_secret"))
    refute shown =~ "hf_secret"
    assert shown =~ "9 B"
  end
end
