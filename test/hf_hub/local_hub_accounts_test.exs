defmodule HfHub.LocalHubAccountsTest do
  use HfHub.Case, async: true

  alias HfHub.{Auth, Error, Organizations, Users}
  alias HfHub.LocalHub.{Accounts, Token}

  setup context do
    id = System.unique_integer([:positive])
    user = "admin#{id}"
    token = Accounts.add_user!(hub(), user, fullname: "A B", orgs: ["org#{id}:read"], token_name: "first one")

    {:ok,
     user: user,
     org: "org#{id}",
     token: token,
     own: [endpoint: context.endpoint, token: token, retry_delay: 10]}
  end

  test "users are added, changed and removed", %{user: user, org: org, own: own} do
    assert %{fullname: "A B", orgs: [%{name: ^org}]} = Users.get!(user, own)
    assert Accounts.set_user(hub(), user, fullname: "-- C", details: "About") == :ok
    assert Accounts.set_user!(hub(), user, details: "More") == :ok
    assert %{fullname: "-- C", details: "More"} = Users.get!(user, own)
    HfHub.Repo.create!("#{user}/model", own)
    assert {:error, %Error{kind: :bad_request} = error} = Accounts.remove_user(hub(), user)
    assert Exception.message(error) =~ "has repositories"
    HfHub.Repo.delete!("#{user}/model", own)
    assert Accounts.remove_user(hub(), user) == :ok
    assert {:error, %Error{kind: :unauthorized}} = Auth.whoami(own)
    assert_raise Error, fn -> Accounts.remove_user!(hub(), user) end
  end

  test "tokens are listed and revoked", %{user: user, own: own, token: token} do
    reads = Accounts.add_user!(hub(), user, role: :read)
    assert {:ok, [first, second]} = Accounts.list_tokens(hub(), user)
    assert %Token{name: "first one", role: :write, expires_at: nil, created_at: %DateTime{}} = first
    assert %Token{name: "local", role: :read} = second
    refute inspect([first, second]) =~ token
    assert Accounts.revoke_token(hub(), user, second.id) == :ok
    assert {:error, %Error{kind: :unauthorized}} = Auth.whoami(Keyword.put(own, :token, reads))
    assert {:ok, %{name: ^user}} = Auth.whoami(own)
    assert {:error, %Error{kind: :bad_request}} = Accounts.revoke_token(hub(), user, second.id)
    assert {:error, %Error{kind: :bad_request}} = Accounts.revoke_token(hub(), user, "")
    assert Accounts.revoke_token!(hub(), user, :all) == :ok
    assert Accounts.list_tokens!(hub(), user) == []
  end

  test "organizations have members with roles, and followers", %{user: user, org: org, own: own} do
    assert Accounts.add_organization(hub(), org, fullname: "Org", details: "It is") == :ok
    assert %{fullname: "Org", num_users: 1} = Organizations.get!(org, own)
    assert Accounts.join(hub(), org, user, role: :admin) == :ok
    assert [%{role: :admin}] = Organizations.list_members!(org, own)
    assert Accounts.follow(hub(), user, org) == :ok
    assert %{num_followers: 1, is_following: true} = Organizations.get!(org, own)
    assert Accounts.unfollow!(hub(), user, org) == :ok
    assert Accounts.leave(hub(), org, user) == :ok
    assert Organizations.list_members!(org, own) == []
    assert {:error, %Error{kind: :bad_request}} = Accounts.leave(hub(), org, user)
    assert Accounts.remove_organization(hub(), org) == :ok
    assert {:error, %Error{status: 404}} = Organizations.get(org, own)

    assert_raise ArgumentError, ~r/:admin`, `:write`, `:read`/, fn ->
      Accounts.join(hub(), org, user, role: :boss)
    end

    assert {:error, %Error{kind: :bad_request}} = Accounts.follow(hub(), user, "no-such-account")
  end
end
