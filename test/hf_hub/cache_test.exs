defmodule HfHub.CacheTest do
  use HfHub.Case, async: true

  alias HfHub.{Cache, Download, Error, FS}

  doctest HfHub.Cache

  test "distinguishes cached, missing and unknown files", context do
    {id, commit} = repo(context, %{"config.json" => "{}"})
    where = [repo_id: id, cache_dir: context.cache]
    refute Cache.cached?([filename: "config.json"] ++ where)
    path = Download.hf_hub_download!(opts(context, repo_id: id, filename: "config.json"))
    assert Cache.cached?([filename: "config.json"] ++ where)
    assert Cache.cache_path!([filename: "config.json"] ++ where) == path
    assert Cache.cache_path!([filename: "config.json", revision: commit] ++ where) == path
    assert {:error, %Error{kind: :not_cached}} = Cache.cache_path([filename: "other"] ++ where)
    assert {:error, _} = Download.hf_hub_download(opts(context, repo_id: id, filename: "other"))
    assert {:error, %Error{kind: :entry_not_found}} = Cache.cache_path([filename: "other"] ++ where)

    assert {:error, %Error{kind: :not_cached}} =
             Cache.cache_path([filename: "config.json", revision: "v9"] ++ where)
  end

  test "a broken link is not a cached file", context do
    {id, _commit} = repo(context, %{"config.json" => "{}"})
    opts = opts(context, repo_id: id, filename: "config.json")
    path = Download.hf_hub_download!(opts)
    File.rm!(Path.expand(File.read_link!(path), Path.dirname(path)))
    refute Cache.cached?(repo_id: id, filename: "config.json", cache_dir: context.cache)
    assert File.read!(Download.hf_hub_download!(opts)) == "{}"
  end

  test "rejects names that escape the cache", context do
    for bad <- [[filename: "../x"], [revision: "../x"], [repo_id: "../x"]] do
      opts = Keyword.merge([repo_id: "a/b", filename: "x", cache_dir: context.cache], bad)
      assert {:error, %Error{kind: :invalid_name}} = Cache.cache_path(opts)
    end

    assert_raise ArgumentError, fn -> FS.file_path("a/b", :model, "x", "../../etc/passwd") end
  end
end
