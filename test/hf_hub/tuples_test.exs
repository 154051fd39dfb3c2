defmodule HfHub.TuplesTest do
  # Repositories as users of Bumblebee write them, in functions of all kinds.
  use HfHub.Case, async: true

  alias HfHub.{Api, Cache, Commit, DatasetFiles, Discussions, Error, Git, Repo, RepoRef, Safetensors}

  setup context do
    {id, commit} =
      repo(context, %{"config.json" => "{}", "sub/a.txt" => "a"},
        private: true,
        id: "reader/tuple-#{System.unique_integer([:positive])}-#{System.pid()}"
      )

    {:ok, id: id, commit: commit, ask: [endpoint: context.endpoint, token: nil, retries: 0]}
  end

  defp calls(repo, ask) do
    [
      model_info: fn -> Api.model_info(repo, ask) end,
      list_files: fn -> Api.list_files(repo, ask) end,
      list_repo_tree: fn -> Api.list_repo_tree(repo, ask) end,
      list_refs: fn -> Git.list_refs(repo, ask) end,
      list_commits: fn -> Git.list_commits(repo, ask) end,
      resolve_revision: fn -> Git.resolve_revision(repo, ask) end,
      exists?: fn ->
        case Repo.exists?(repo, ask) do
          true -> {:ok, true}
          false -> {:error, %Error{kind: :repo_not_found}}
        end
      end,
      discussions: fn -> Discussions.list(repo, ask) end,
      splits: fn ->
        ask = Keyword.put(ask, :repo_type, :model)

        with {:error, %{kind: :entry_not_found}} <- DatasetFiles.resolve(repo, nil, "train", ask),
             do: {:ok, 1}
      end,
      safetensors: fn ->
        with {:error, %{kind: :entry_not_found}} <- Safetensors.metadata(repo, ask), do: {:ok, :none}
      end
    ]
  end

  test "their token is sent by all functions, and one in the options takes precedence", %{id: id} = context do
    for {name, call} <- calls({:hf, id, auth_token: token()}, context.ask) do
      refute match?(
               {:error, %{kind: kind}} when kind in [:repo_not_found, :no_token, :unauthorized],
               call.()
             ),
             to_string(name)
    end

    for {name, call} <- calls({:hf, id, auth_token: token()}, Keyword.put(context.ask, :token, false)) do
      assert {:error, %Error{kind: kind}} = call.(), to_string(name)
      assert kind in [:repo_not_found, :no_token, :unauthorized], to_string(name)
    end

    tuple = {:hf, context[:id], auth_token: token()}

    assert {:ok, _commit} =
             Commit.upload_file({:binary, "x"}, "x", tuple, endpoint: context.endpoint, retries: 0)
  end

  test "those that are offline send no request", %{id: id} = context do
    for {name, call} <- calls({:hf, id, auth_token: token(), offline: true}, context.ask),
        name not in [:splits, :exists?] do
      assert {:error, %Error{kind: kind}} = call.(), to_string(name)
      assert kind in [:offline, :not_cached], to_string(name)
    end

    assert requests(id) == []
  end

  test "their cache folder is that of functions of the cache", %{id: id} = context do
    tuple = {:hf, id, auth_token: token(), cache_dir: context.cache}
    HfHub.Download.hf_hub_download!(repo_id: tuple, filename: "config.json", endpoint: context.endpoint)
    assert Cache.cached?(repo_id: tuple, filename: "config.json")
    refute Cache.cached?(repo_id: {:hf, id}, filename: "config.json")
    offline = {:hf, id, offline: true, cache_dir: context.cache}
    assert Git.resolve_revision(offline) == {:ok, context.commit}
    assert {:ok, _commit} = Cache.pin(offline)
    assert {:ok, lease} = Cache.lease(offline)
    assert :ok = Cache.release(lease)
    assert {:ok, _folder} = Cache.Transport.materialize(offline, Path.join(context.dir, "plain"))
  end

  test "tensors of cached files are read offline", context do
    path = Path.join(context.dir, "model.safetensors")
    Safetensors.write!(path, %{"w" => {"U8", [3], <<1, 2, 3>>}})
    {id, _commit} = repo(context, %{"model.safetensors" => File.read!(path)})
    HfHub.Download.snapshot_download!(opts(context, repo_id: id))
    before = length(requests(id))
    model = Safetensors.open!({:hf, id, offline: true, cache_dir: context.cache})
    assert Safetensors.tensor!(model, "w") == <<1, 2, 3>>

    assert {:error, %Error{kind: :not_cached}} =
             Safetensors.open({:hf, "org/none", offline: true}, endpoint: context.endpoint)

    assert length(requests(id)) == before
  end

  test "their token is not shown by an open model", %{id: id, ask: ask} = context do
    path = Path.join(context.dir, "model.safetensors")
    Safetensors.write!(path, %{"w" => {"U8", [3], <<1, 2, 3>>}})
    folder = folder(context, %{"model.safetensors" => File.read!(path)})
    HfHub.LocalHub.import_folder!(hub(), folder, id)
    model = Safetensors.open!({:hf, id, auth_token: token()}, ask)
    # As stack traces and crash reports show it, too.
    for format <- ["~p", "~w"], do: refute("#{:io_lib.format(format, [model])}" =~ token())
    refute inspect(model, structs: false, limit: :infinity) =~ token()
    assert Safetensors.tensor!(model, "w") == <<1, 2, 3>>
  end

  test "an unknown option, or one of the wrong type, raises without the token", %{id: id, ask: ask} do
    for opts <- [[token: "hf_CANARY"], [auth_token: 5], [offline: "hf_CANARY"]] do
      error = assert_raise ArgumentError, fn -> Api.model_info({:hf, id, opts}, ask) end
      refute error.message =~ "CANARY"
    end

    {:ok, ref} = RepoRef.resolve({:hf, id, auth_token: "hf_CANARY"}, [])
    refute inspect(ref) =~ "CANARY"
  end
end
