defmodule HfHub.UsersTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, Users}

  test "returns the overview of a user", context do
    opts = [endpoint: context.endpoint]
    assert {:ok, user} = Users.get("reader", opts)
    assert %Users.User{username: "reader", user_type: "user", is_pro: false, orgs: []} = user
    assert user.num_models == length(HfHub.Api.list_models!([author: "reader"] ++ opts))
    assert user.raw["user"] == "reader"
    assert Users.get!("reader", opts) == user
  end

  test "a user that does not exist is an error that names it", context do
    assert {:error, %Error{status: 404} = error} = Users.get("nobody/../x", endpoint: context.endpoint)
    assert {:error, %Error{status: 404}} = Users.get("nobody", endpoint: context.endpoint)
    assert error.message =~ "nobody"
  end
end
