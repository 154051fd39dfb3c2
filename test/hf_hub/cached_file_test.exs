defmodule HfHub.CachedFileTest do
  # A file of a commit that is in the cache takes a look at the disk: no request, no job, no token.
  use HfHub.Case, async: true

  alias HfHub.{Download, Error}

  setup context do
    {id, commit} = repo(context, %{"config.json" => "{}", "sub/empty" => ""})

    opts = [
      repo_id: id,
      revision: commit,
      endpoint: context.endpoint,
      cache_dir: context.cache,
      retry_delay: 10
    ]

    paths = for name <- ["config.json", "sub/empty"], do: Download.hf_hub_download!([filename: name] ++ opts)
    {:ok, id: id, commit: commit, opts: [filename: "config.json"] ++ opts, paths: paths}
  end

  # No job can open this Hub.
  @broken [endpoint: "none"]

  test "a file of a commit needs no job, and one of a branch does", %{opts: opts, paths: [path, empty]} do
    opts = Keyword.merge(opts, @broken)
    assert Download.hf_hub_download(opts) == {:ok, path}
    assert Download.hf_hub_download(Keyword.merge(opts, filename: "empty", subfolder: "sub")) == {:ok, empty}

    assert {:error, %Error{kind: :invalid_name, message: "invalid endpoint" <> _rest}} =
             Download.hf_hub_download(Keyword.delete(opts, :revision))
  end

  test "whatever asks for more than the path starts a job", %{opts: opts, dir: dir} do
    sha256 = Base.encode16(:crypto.hash(:sha256, "{}"), case: :lower)

    more = [
      dry_run: true,
      force_download: true,
      expected_sha256: sha256,
      progress: self(),
      local_dir: Path.join(dir, "x")
    ]

    for option <- more do
      assert {:ok, _result} = Download.hf_hub_download([option | opts])

      assert {:error, %Error{kind: :invalid_name, message: "invalid endpoint" <> _rest}} =
               Download.hf_hub_download([option | Keyword.merge(opts, @broken)])
    end
  end

  test "a blob that is gone, empty or a loop of links is downloaded again", %{
    opts: opts,
    paths: [path, _empty]
  } do
    blob = Path.expand(File.read_link!(path), Path.dirname(path))

    for spoil <- [
          fn -> File.rm!(blob) end,
          fn -> File.write!(blob, "") end,
          fn -> File.rm!(blob) && File.ln_s!(blob, blob) end
        ] do
      spoil.()
      assert {:ok, ^path} = Download.hf_hub_download(opts)
      assert File.read!(path) == "{}"
    end
  end

  test "names are checked as in any call", %{opts: opts} do
    for wrong <- [[filename: "../config.json"], [repo_id: "a/../b"]] do
      assert {:error, %Error{kind: :invalid_name}} = Download.hf_hub_download(Keyword.merge(opts, wrong))
    end
  end

  test "the file counts as used", %{opts: opts, paths: [path, _empty]} do
    blob = Path.expand(File.read_link!(path), Path.dirname(path))
    %{mtime: mtime} = File.stat!(blob, time: :posix)
    File.touch!(blob, mtime)
    {_output, 0} = System.cmd("touch", ["-a", "-d", "2020-01-01", blob])
    assert {:ok, ^path} = Download.hf_hub_download(opts)
    assert System.os_time(:second) - File.stat!(blob, time: :posix).atime < 60
  end
end
