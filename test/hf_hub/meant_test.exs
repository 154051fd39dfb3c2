defmodule HfHub.MeantTest do
  # Near misses of names: the error suggests similar names.
  use HfHub.Case, async: true

  alias HfHub.{Api, Cache, Commit, Download, Error, FS, Git, Repo, Safetensors}

  setup context do
    {id, _commit} =
      repo(context, %{"config.json" => "{}"},
        repo_type: :dataset,
        id: "reader/meant-#{System.unique_integer([:positive])}"
      )

    {:ok, id: id, api: [endpoint: context.endpoint]}
  end

  test "the error of a missing repository suggests the :repo_type that exists", %{id: id} = context do
    for call <- [
          &Download.hf_hub_download([repo_id: id, filename: "config.json"] ++ &1),
          &Download.snapshot_download([repo_id: id] ++ &1),
          fn _opts -> Git.list_commits(id, context.api) end
        ] do
      assert {:error, %Error{kind: :repo_not_found} = error} = call.(opts(context))

      assert error.message ==
               "model repository \"#{id}\" not found: it is a dataset; pass repo_type: :dataset"
    end

    # These have no option `:repo_type`.
    {model, _commit} = repo(context, %{"a" => "1"})

    for {result, message} <- [
          {Api.model_info(id, context.api), "model repository \"#{id}\" not found: it is a dataset"},
          {Api.dataset_info(model, context.api), "dataset repository \"#{model}\" not found: it is a model"},
          {Api.dataset_configs(model, context.api),
           "dataset repository \"#{model}\" not found: it is a model"}
        ] do
      assert {:error, %Error{kind: :repo_not_found, message: ^message}} = result
    end

    stream = Download.download_stream!([repo_id: id, filename: "config.json"] ++ context.api)
    assert_raise Error, ~r/it is a dataset/, fn -> Enum.to_list(stream) end
    refute Repo.exists?(id, context.api)
    assert {:error, %Error{message: message}} = Api.model_info(id <> "x", context.api)
    refute message =~ "it is a"
  end

  test "the error of a missing repository without a namespace mentions the namespace", context do
    {id, _commit} =
      repo(context, %{"a" => "1"}, id: "meant#{System.unique_integer([:positive])}", repo_type: :dataset)

    namespace = "; most ids contain the namespace"

    for {result, mentioned?} <- [
          {Api.model_info("no-such-model", context.api), true},
          {Download.hf_hub_download(opts(context, repo_id: "no-such-model", filename: "a")), true},
          {Commit.upload_file({:binary, "x"}, "x", "no-such-model", write()), true},
          {Git.create_branch("no-such-model", "b", write()), true},
          {Api.model_info("no/such-model", context.api), false},
          {Api.model_info(id, context.api), false}
        ] do
      assert {:error, %Error{kind: :repo_not_found, message: message}} = result
      assert message =~ namespace == mentioned?, message
    end
  end

  test "the error of a missing revision suggests similar branches and tags", %{id: id} = context do
    opts = [repo_type: :dataset, token: token()] ++ context.api
    for name <- ~w(release-1 release-2 experiment), do: Git.create_tag!(id, name, opts)

    assert {:error, %Error{kind: :revision_not_found} = error} =
             Download.hf_hub_download(
               opts(context, repo_id: id, repo_type: :dataset, filename: "config.json", revision: "release1")
             )

    assert error.message =~ ~s(no revision "release1"; nearest branches and tags: "release-1", "release-2")
    assert {:error, %Error{} = error} = Api.dataset_info(id, context.api ++ [revision: "mian"])
    assert error.message =~ ~s(nearest branches and tags: "main")
  end

  test "the type of a repository may be a string", %{id: id} = context do
    assert {:ok, _path} =
             Download.hf_hub_download(
               opts(context, repo_id: id, repo_type: "dataset", filename: "config.json")
             )

    assert Cache.cached?(repo_id: id, repo_type: "dataset", filename: "config.json", cache_dir: context.cache)
    assert Repo.exists?(id, [repo_type: "dataset"] ++ context.api)
    assert FS.repo_path("a/b", "dataset") == FS.repo_path("a/b", :dataset)
    assert_raise ArgumentError, ~r/`:dataset`/, fn -> Repo.exists?(id, repo_type: "datasets") end
  end

  test "a URL of a file cannot be combined with another file name", %{id: id} = context do
    url = "#{context.endpoint}/datasets/#{id}/blob/main/config.json"

    for call <- [
          fn -> Download.hf_hub_download(opts(context, repo_id: url, filename: "config.json")) end,
          fn -> Download.resume_download(opts(context, repo_id: url, filename: "config.json")) end,
          fn -> Download.hf_hub_download(opts(context, repo_id: url, subfolder: "x")) end,
          fn -> Download.download_stream([repo_id: url, filename: "config.json"] ++ context.api) end,
          fn -> Cache.cache_path([repo_id: url, filename: "config.json"] ++ context.api) end,
          fn -> Repo.file_exists(url, "config.json", context.api) end,
          fn -> Safetensors.file_metadata(url, "config.json", context.api) end,
          fn -> Api.paths_info(url, "config.json", context.api) end,
          fn -> Commit.upload_file({:binary, "x"}, "config.json", url, context.api) end
        ] do
      assert {:error, %Error{kind: :invalid_name} = error} = call.()
      assert error.message =~ ~s(the URL already contains the file name "config.json")
    end

    assert {:ok, _path} = Download.hf_hub_download(opts(context, repo_id: url))
    folder = "#{context.endpoint}/datasets/#{id}/tree/main/none"

    assert {:error, %Error{kind: :entry_not_found}} =
             Download.hf_hub_download(opts(context, repo_id: folder, filename: "x"))
  end
end
