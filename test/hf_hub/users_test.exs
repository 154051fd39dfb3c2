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
end
