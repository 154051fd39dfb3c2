defmodule HfHub.OrganizationsTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, LocalHub, Organizations, Users}
  alias HfHub.Users.{Organization, User}

  setup context do
    id = System.unique_integer([:positive])
    [org, ann, bob] = for name <- ["lab", "ann", "bob"], do: "#{name}#{id}"
    LocalHub.command!(hub(), ["org", "add", org, "--fullname", "The Lab", "--details", "About it"])

    tokens =
      for user <- [ann, bob],
          do: LocalHub.command!(hub(), ["user", "add", user, "--fullname", String.upcase(user)])

    LocalHub.command!(hub(), ["org", "join", org, ann, "--role", "admin"])
    LocalHub.command!(hub(), ["org", "join", org, bob, "--role", "read"])
    [as_ann, as_bob] = for token <- tokens, do: [endpoint: context.endpoint, token: token, retry_delay: 10]

    {:ok,
     org: org,
     ann: ann,
     bob: bob,
     as_ann: as_ann,
     as_bob: as_bob,
     anonymous: Keyword.put(as_ann, :token, false)}
  end

  defp follow(follower, followed), do: LocalHub.command!(hub(), ["user", "follow", follower, followed])
  defp names(users), do: for(%User{} = user <- users, do: user.username)

  test "an overview has the counts that the caller may see", %{org: org, as_ann: as_ann} = context do
    for {name, private} <- [{"open", false}, {"hidden", true}],
        do: HfHub.Repo.create!("#{org}/#{name}", [private: private] ++ as_ann)

    follow(context.bob, org)
    assert {:ok, %Organization{} = lab} = Organizations.get(org, context.as_bob)

    assert %{name: ^org, fullname: "The Lab", details: "About it", is_verified: false, is_following: true} =
             lab

    assert %{num_users: 2, num_members: 2, num_models: 2, num_datasets: 0, num_spaces: 0, num_followers: 1} =
             lab

    assert %{num_papers: 0, plan: nil} = lab
    assert inspect(lab) == "#HfHub.Users.Organization<#{org}, The Lab>"
    assert %{num_models: 1, is_following: false} = Organizations.get!(org, context.anonymous)
  end

  test "followers of organizations and users are listed", %{org: org, ann: ann, bob: bob} = context do
    %{as_ann: as_ann, as_bob: as_bob} = context

    for {follower, followed} <- [{bob, org}, {ann, org}, {ann, bob}, {bob, ann}],
        do: follow(follower, followed)

    assert names(Organizations.list_followers!(org, as_ann)) == [ann, bob]
    assert {:ok, [%User{username: ^ann}]} = Organizations.list_followers(org, [limit: 1] ++ as_ann)
    assert Organizations.stream_followers(org, as_ann) |> names() == [ann, bob]

    assert {:ok, [%{username: ^bob, is_following: true, fullname: fullname}]} =
             Users.list_followers(ann, as_ann)

    assert fullname == String.upcase(bob)
    assert [%{username: ^bob, is_following: nil}] = Users.list_followers!(ann, context.anonymous)
    assert Users.stream_followers(ann, as_ann) |> names() == [bob]
    # The organization is followed, but only users are listed.
    assert {:ok, [%{username: ^bob}]} = Users.list_following(ann, as_ann)
    assert Users.list_following!(ann, [limit: 1] ++ as_ann) |> names() == [bob]
    assert Users.stream_following(ann, as_ann) |> names() == [bob]
    assert %{num_followers: 1, num_following: 1, is_following: true} = Users.get!(ann, as_bob)

    LocalHub.command!(hub(), ["user", "unfollow", bob, ann])
    assert %{num_followers: 0, is_following: false} = Users.get!(ann, as_bob)
    assert Users.list_followers!(ann, as_bob) == []
  end

  test "members are listed, with roles for members", %{org: org, ann: ann, bob: bob} = context do
    assert {:ok, members} = Organizations.list_members(org, context.as_bob)
    assert for(member <- members, do: {member.username, member.role}) == [{ann, :admin}, {bob, :read}]

    assert [%{username: ^ann, role: nil, is_following: nil} | _] =
             Organizations.list_members!(org, context.anonymous)

    assert Organizations.list_members!(org, [search: "BOB"] ++ context.as_ann) |> names() == [bob]
    assert Organizations.stream_members(org, [search: bob] ++ context.as_ann) |> names() == [bob]
    assert Organizations.stream_members(org, context.as_ann) |> Enum.take(1) |> names() == [ann]
    assert Organizations.list_members!(org, [limit: 1] ++ context.as_ann) |> names() == [ann]
    assert [%{fullname: "The Lab"}] = Users.get!(ann, context.as_ann).orgs
  end

  test "errors name the missing account", %{ann: ann, org: org, as_ann: as_ann} do
    for call <- [&Organizations.get/2, &Organizations.list_followers/2, &Organizations.list_members/2],
        name <- ["nobody", ann, "a/../b"] do
      assert {:error, %Error{status: 404} = error} = call.(name, as_ann)
      assert error.message =~ name
    end

    for call <- [&Users.list_followers/2, &Users.list_following/2], name <- ["nobody", org] do
      assert {:error, %Error{status: 404} = error} = call.(name, as_ann)
      assert error.message =~ name
    end

    for stream <- [
          &Organizations.stream_followers/2,
          &Organizations.stream_members/2,
          &Users.stream_followers/2
        ] do
      assert_raise Error, fn -> Enum.to_list(stream.("nobody", as_ann)) end
    end

    assert_raise ArgumentError, ~r/expected option :limit to be a positive integer/, fn ->
      Organizations.list_members(org, limit: 0)
    end

    assert_raise ArgumentError, ~r/unknown option :limit/, fn -> Users.stream_following(ann, limit: 3) end
  end
end
