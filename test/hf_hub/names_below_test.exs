defmodule HfHub.NamesBelowTest do
  # Names of files where the reference of the repository contains a folder.
  use HfHub.Case, async: true

  alias HfHub.{Api, Cache, Download, Repo, Safetensors}

  test "are relative to it for every function that reads one file", context do
    [below, root] =
      for name <- ["below", "root"] do
        path = Path.join(context.dir, name <> ".safetensors")
        Safetensors.write!(path, %{name => {"U8", [1], "x"}})
        File.read!(path)
      end

    files = %{"s/m.safetensors" => below, "m.safetensors" => root, "s/only.txt" => "a", "top.txt" => "b"}
    {id, _commit} = repo(context, files)
    api = [endpoint: context.endpoint]
    cache = api ++ [cache_dir: context.cache]

    for place <- [{:hf, id, subdir: "s"}, "#{context.endpoint}/#{id}/tree/main/s"] do
      assert Repo.file_exists(place, "only.txt", api) == {:ok, true}
      assert Repo.file_exists(place, "top.txt", api) == {:ok, false}
      assert [%{path: "s/only.txt"}] = Api.paths_info!(place, ["only.txt", "top.txt"], api)
      assert ["below"] = Map.keys(Safetensors.file_metadata!(place, "m.safetensors", api).tensors)
      assert ["below"] = Map.keys(Safetensors.open!(place, cache ++ [filename: "m.safetensors"]).tensors)
      path = Download.hf_hub_download!([repo_id: place, filename: "only.txt"] ++ cache)
      assert Cache.cache_path([repo_id: place, filename: "only.txt"] ++ cache) == {:ok, path}
    end
  end
end
