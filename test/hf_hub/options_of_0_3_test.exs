defmodule HfHub.OptionsOf03Test do
  # Calls with the options that hf_hub 0.3 documents, where their names, values or effects differ here.
  # The log of a separate Hub has no requests for lists of other tests.
  use HfHub.Case, async: true, hub: :own

  import ExUnit.CaptureLog

  alias HfHub.{Api, Auth, Commit, Download, Repo}
  alias HfHub.Commit.Operation

  defp sorts(path) do
    for %{"path" => ^path, "query" => query} <- requests(path), do: URI.decode_query(query)["sort"]
  end

  test "lists are sorted by the names of 0.3 and of the Hub", context do
    opts = [endpoint: endpoint(), author: "org"]
    {_id, _commit} = repo(context, %{"a" => "1"}, repo_type: :dataset)

    for {sort, sent} <- [
          {"downloads", "downloads"},
          {:lastModified, "lastModified"},
          {"last_modified", "lastModified"},
          {"updated", "lastModified"},
          {"createdAt", "createdAt"},
          {:trendingScore, "trendingScore"}
        ] do
      assert {:ok, _models} = Api.list_models([sort: sort, direction: :desc] ++ opts)
      assert {:ok, [_one]} = Api.list_datasets([sort: sort, direction: -1] ++ opts)
      assert [_one] = Enum.to_list(Api.stream_datasets([sort: sort] ++ opts))
      assert List.last(sorts("/api/models")) == sent
      assert Enum.take(sorts("/api/datasets"), -2) == [sent, sent]
    end
  end

  test "files are listed with or without those in folders", context do
    {id, _commit} = repo(context, %{"a.txt" => "1", "sub/b.txt" => "2"})
    opts = [endpoint: endpoint()]

    names = fn more ->
      for(file <- Api.list_files!(id, opts ++ more), do: file.rfilename) -- [".gitattributes"]
    end

    assert names.([]) == ["a.txt", "sub/b.txt"]
    assert names.(recursive: true) == ["a.txt", "sub/b.txt"]
    assert names.(recursive: false) == ["a.txt"]
    assert names.(recursive: false, path_in_repo: "sub") == ["sub/b.txt"]
  end

  test "an ascending direction has no effect, which is logged" do
    opts = [endpoint: endpoint(), sort: "likes", limit: 1]

    assert capture_log(fn -> assert {:ok, _models} = Api.list_models([direction: :asc] ++ opts) end) =~
             "option :direction has no effect: the Hub sorts in descending order only"
  end

  test "uploads take the names of workers and timeouts", context do
    id = writable(context)
    dir = folder(context, %{"b.txt" => "b", "c.bin" => large(1000)})
    times = [lfs_upload_timeout: 3_600_000, lfs_task_timeout: 3_900_000, pool_timeout: 5_000]
    opts = write([max_workers: 1, preupload: false] ++ times)

    log =
      capture_log(fn ->
        assert {:ok, _info} = Commit.upload_file({:binary, "a"}, "a.txt", id, opts)
        assert {:ok, _info} = Commit.upload_folder(dir, id, opts)
        many = [multi_commits: false, multi_commits_verbose: false, lfs_upload_timeout: :infinity]
        assert {:ok, []} = Commit.upload_large_folder(dir, id, Keyword.merge(opts, many))
        operations = [Operation.add("d.txt", {:binary, "d"}, upload_info: %{size: 1})]
        assert {:ok, _info} = Commit.create(id, operations, [commit_message: "d"] ++ opts)
        assert {:ok, _info} = Commit.delete_file("d.txt", id, opts)
      end)

    assert Map.keys(content(context, id)) == [".gitattributes", "a.txt", "b.txt", "c.bin"]

    for option <- [:preupload, :lfs_task_timeout, :pool_timeout, :multi_commits, :upload_info] do
      assert [_, _] = String.split(log, "option #{inspect(option)} has no effect")
    end

    for opts <- [[max_workers: 1, num_workers: 1], [lfs_upload_timeout: 1, upload_timeout: 1]] do
      assert_raise ArgumentError, ~r/are the same option/, fn ->
        Commit.upload_folder(dir, id, write(opts))
      end
    end
  end

  test "Spaces take their SDK as a string and their hardware as an atom" do
    id = "reader/space-#{System.unique_integer([:positive])}"
    opts = write(repo_type: :space, space_sdk: "static", space_hardware: :cpu_basic)
    assert {:ok, %{repo_id: ^id}} = Repo.create(id, opts)
    assert {:ok, %{sdk: "static"}} = Api.space_info(id, endpoint: endpoint())
  end

  test "a destination without extraction has no effect, which is logged", context do
    {id, _commit} = repo(context, %{"a.txt" => "1"})
    more = [repo_id: id, filename: "a.txt", extract_dir: context.dir, verify_checksum: true]
    opts = opts(context, [endpoint: endpoint()] ++ more)

    assert capture_log(fn ->
             assert {:ok, path} = Download.hf_hub_download(opts)
             assert File.read!(path) == "1"
           end) =~ "option :extract_dir has no effect: it is the destination of extract: true"
  end

  test "a login takes the options of 0.3" do
    opts = [token: "hf_unknown", endpoint: endpoint(), retries: 0]

    for more <- [[validate: true], [validate: false, add_to_git_credentials: false]] do
      capture_log(fn -> assert {:error, %{kind: :unauthorized}} = Auth.login(more ++ opts) end)
    end
  end
end
