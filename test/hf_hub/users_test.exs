defmodule HfHub.UsersTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, Users}

  test "returns the overview of a user", context do
    # Other tests create repositories of the shared user at the same time.
    name = "overview#{System.unique_integer([:positive])}"
    token = HfHub.LocalHub.command!(hub(), ["user", "add", name])
    opts = [endpoint: context.endpoint, token: token]
    HfHub.Repo.create!("#{name}/model", opts)
    assert {:ok, user} = Users.get(name, opts)
    assert %Users.User{username: ^name, user_type: "user", is_pro: false, orgs: [], num_models: 1} = user
    assert user.raw["user"] == name
    assert Users.get!(name, opts) == user
  end

  test "the error of a missing user names it", context do
    assert {:error, %Error{status: 404} = error} = Users.get("nobody/../x", endpoint: context.endpoint)
    assert {:error, %Error{status: 404}} = Users.get("nobody", endpoint: context.endpoint)
    assert error.message =~ "nobody"
  end

  describe "repositories with their storage" do
    setup context do
      name = "owner#{System.unique_integer([:positive])}"
      token = HfHub.LocalHub.command!(hub(), ["user", "add", name, "--org", "#{name}-org"])
      {:ok, name: name, opts: [endpoint: context.endpoint, token: token, retry_delay: 10]}
    end

    test "are those of the account, private ones included", %{name: name, opts: opts} = context do
      assert Users.list_repos(opts) == {:ok, []}
      repo(context, %{"a.txt" => "12345"}, id: "#{name}/model")
      repo(context, %{"a.txt" => "123"}, id: "#{name}/data", repo_type: :dataset)
      HfHub.Repo.create!("#{name}/space", [repo_type: :space, space_sdk: "static", private: true] ++ opts)

      assert {:ok, repos} = Users.list_repos(opts)

      assert %Users.RepoStorageInfo{type: :model, storage: size} =
               model = Enum.find(repos, &(&1.id == "#{name}/model"))

      assert %{visibility: :public, updated_at: %DateTime{}} = model
      assert HfHub.Api.model_info!("#{name}/model", [expand: ["usedStorage"]] ++ opts).used_storage == size
      assert size > 5 and inspect(model) =~ "<#{name}/model, model, "

      assert Enum.sort(for repo <- repos, do: {repo.type, repo.visibility}) ==
               [dataset: :public, model: :public, space: :private]

      assert_in_delta Enum.sum(for repo <- repos, do: repo.storage_percent), 100, 0.1
      assert Users.list_repos!(opts) == repos
      assert Users.stream_repos(opts) |> Enum.to_list() == repos
      assert Users.list_repos!([limit: 2] ++ opts) == Enum.take(repos, 2)
    end

    test "are those of an organization, for its members", %{name: name, opts: opts} = context do
      repo(context, %{"a.txt" => "1"}, id: "#{name}-org/model")

      assert {:ok, [%{id: id, storage_percent: 100.0}]} =
               Users.list_repos([organization: "#{name}-org"] ++ opts)

      assert id == "#{name}-org/model"
      assert [%{id: ^id}] = Users.stream_repos([organization: "#{name}-org"] ++ opts) |> Enum.to_list()

      assert {:error, %Error{kind: :forbidden}} =
               Users.list_repos(organization: "#{name}-org", endpoint: context.endpoint, token: token())

      assert {:error, %Error{kind: :forbidden}} = Users.list_repos([organization: "a/../b"] ++ opts)
    end

    test "require a token", context do
      assert {:error, %Error{kind: :no_token}} = Users.list_repos(endpoint: context.endpoint, token: false)
      assert_raise Error, fn -> Enum.to_list(Users.stream_repos(endpoint: context.endpoint, token: false)) end
    end

    @tag :python
    test "are those of the Python client, by the same requests", %{name: name, opts: opts} = context do
      repo(context, %{"a.txt" => "12345"}, id: "#{name}/model")
      repo(context, %{"b.txt" => "12"}, id: "#{name}-org/data", repo_type: :dataset)

      script = """
      for namespace in None, "#{name}-org":
          for r in list_user_repos(namespace, token="#{opts[:token]}"):
              print(r.id, r.type, int(r.updated_at.timestamp()), r.visibility, r.storage, r.storage_percent)
      """

      theirs = HfHub.Python.run!(script, context.endpoint, context.cache) |> String.split("\n")

      ours =
        for more <- [[], [organization: "#{name}-org"]], r <- Users.list_repos!(more ++ opts) do
          "#{r.id} #{r.type} #{DateTime.to_unix(r.updated_at)} #{r.visibility} #{r.storage} #{r.storage_percent}"
        end

      assert ours == theirs

      asked =
        for request <- requests("#{name}-org/settings/repositories"),
            do: {request["method"], request["query"]}

      assert asked == List.duplicate({"GET", nil}, 2) or asked == List.duplicate({"GET", ""}, 2)
    end
  end
end
