defmodule HfHub.NamesBelowTest do
  # Names of files where the reference of the repository contains a folder.
  use HfHub.Case, async: true

  alias HfHub.{Api, Cache, Download, Error, Git, Repo, Safetensors}

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

  test "are relative to it for every function that lists a folder", context do
    {id, _commit} = repo(context, %{"s/t/a.txt" => "a", "t/b.txt" => "b"})
    api = [endpoint: context.endpoint]

    for place <- [{:hf, id, subdir: "s"}, "hf://#{id}/s"], folder <- ["t", "./t/", "/t"] do
      at = [path_in_repo: folder] ++ api
      assert [%{path: "s/t/a.txt"}] = Api.list_repo_tree!(place, at)
      assert [%{rfilename: "s/t/a.txt"}] = Api.list_files!(place, at)
      assert ["s/t/a.txt"] = Enum.to_list(Api.stream_repo_files(place, at))
    end

    for folder <- [nil, "", ".", "/"] do
      at = HfHub.Options.given(path_in_repo: folder) ++ api
      assert ["s/t/a.txt"] = Api.list_repo_files!("hf://#{id}/s", at)
      assert ["s/t/a.txt", "t/b.txt"] -- Api.list_repo_files!(id, at) == []
    end

    assert {:error, %Error{kind: :invalid_name}} =
             Api.list_repo_tree("#{context.endpoint}/#{id}/blob/main/t/b.txt", [path_in_repo: "t"] ++ api)
  end

  test "are an error for functions that change branches and tags", context do
    {id, _commit} = repo(context, %{"s/a.txt" => "a"})
    token = "hf_" <> String.duplicate("x", 34)

    for place <- ["hf://#{id}@main/s", {:hf, id, subdir: "s", auth_token: token}],
        call <- [&Git.create_branch/3, &Git.create_tag/3, &Git.delete_branch/3] do
      assert {:error, %Error{kind: :invalid_name, message: message}} =
               call.(place, "x", endpoint: context.endpoint)

      assert message =~ "a path; pass the repository #{inspect(id)}"
      refute message =~ token
    end

    assert %{branches: [_main], tags: []} = Git.list_refs!(id, endpoint: context.endpoint)
  end
end
