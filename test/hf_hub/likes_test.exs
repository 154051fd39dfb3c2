defmodule HfHub.LikesTest do
  use HfHub.Case, async: true

  alias HfHub.{Api, Error, Likes, Users}
  alias HfHub.Likes.LikedRepo

  # The account is new in each test, so that its likes are those of the test.
  setup :writer

  defp as(token, more \\ []), do: write([token: token] ++ more)

  test "a like counts once, until it is removed", %{account: account, writer: writer} = context do
    {id, _commit} = repo(context, %{"a.txt" => "1"})
    assert Api.model_info!(id, as(writer)).likes == 0
    assert Likes.like(id, as(writer)) == :ok
    assert Likes.like!(id, as(writer)) == :ok
    assert Users.like(id, write()) == :ok

    assert %{likes: 2, trending_score: 2} = Api.model_info!(id, as(writer))

    assert [%{username: "reader"}, %Users.User{username: ^account, user_type: "user"}] =
             Likes.list_likers!(id, as(false))

    assert {:ok, [%{username: "reader"}]} =
             Likes.list_likers(id, opts(context, limit: 1) |> Keyword.delete(:cache_dir))

    assert Likes.unlike(id, write()) == :ok
    assert Likes.unlike!(id, write()) == :ok
    assert %{likes: 1, trending_score: 1} = Api.model_info!(id, as(writer))
    assert [%{username: ^account}] = Users.list_likers!(id, as(writer))
    assert Users.unlike(id, as(writer)) == :ok
    assert Enum.to_list(Likes.stream_likers(id, as(writer))) == []
  end

  test "lists are sorted by likes", %{writer: writer} = context do
    [first, second, third] =
      for _ <- 1..3, do: elem(repo(context, %{"a.txt" => "1"}, id: unique("sorted", context)), 0)

    for id <- [second, third], do: Likes.like!(id, as(writer))
    Likes.like!(third, write())

    for sort <- [:likes, :trending_score] do
      found = Api.list_models!(as(writer, author: author(context), sort: sort))
      assert for(model <- found, do: {model.id, model.likes}) == [{third, 2}, {second, 1}, {first, 0}]
    end
  end

  defp author(context), do: "#{context.account}-org"
  defp unique(name, context), do: "#{author(context)}/#{name}-#{System.unique_integer([:positive])}"

  test "liked repositories are of all types, and lists are lazy",
       %{account: account, writer: writer} = context do
    {model, _commit} = repo(context, %{"a.txt" => "1"})
    {data, _commit} = repo(context, %{"a.txt" => "1"}, repo_type: :dataset)
    space = "org/space-#{System.unique_integer([:positive])}"
    HfHub.Repo.create!(space, as(writer, repo_type: :space, space_sdk: "static", private: true))
    Likes.like!(model, as(writer))
    Likes.like!(data, as(writer, repo_type: :dataset))
    Likes.like!("https://huggingface.co/spaces/#{space}", as(writer))

    expected = [{space, :space}, {data, :dataset}, {model, :model}]
    assert {:ok, liked} = Likes.list_liked_repos(account, as(writer))
    assert for(repo <- liked, do: {repo.repo_id, repo.repo_type}) == expected
    assert [%LikedRepo{created_at: %DateTime{}} = newest | _] = liked
    # As in 0.3, whose result was the Hub's JSON.
    assert newest["repo"]["name"] == space and newest["createdAt"] == newest.created_at
    assert inspect(newest) == "#HfHub.Likes.LikedRepo<#{space}, space>"
    assert Likes.list_liked_repos!(nil, as(writer)) == liked
    assert Users.list_liked_repos!(account, as(writer)) == liked
    assert Likes.list_liked_repos!(account, as(writer, limit: 2)) == Enum.take(liked, 2)
    assert Likes.stream_liked_repos(account, as(writer)) |> Enum.to_list() == liked
    assert Likes.stream_liked_repos(nil, as(writer)) |> Enum.take(1) == [newest]

    # The private Space is counted and listed only for those who see it.
    assert Users.get!(account, as(writer)).num_likes == 3
    assert Users.get!(account, write()).num_likes == 2
    assert Users.list_liked_repos!(account, write()) == tl(liked)
  end

  test "errors say why", %{reader: reader, writer: writer} = context do
    {id, _commit} = repo(context, %{"a.txt" => "1"})
    {hidden, _commit} = repo(context, %{"a.txt" => "1"}, private: true)

    for call <- [&Likes.like/2, &Likes.unlike/2] do
      assert {:error, %Error{kind: :forbidden} = error} = call.(id, as(reader))
      assert error.message =~ "write token"
      assert {:error, %Error{kind: :repo_not_found}} = call.(hidden, write())
      assert {:error, %Error{kind: :repo_not_found}} = call.("org/missing-repository", as(writer))
      assert {:error, %Error{status: 401} = error} = call.(id, as(false))
      assert error.message =~ "HfHub.Auth.login()"
      assert {:error, %Error{kind: :invalid_name}} = call.("org/../x", as(writer))
      assert {:error, %Error{kind: :invalid_name}} = call.("hf://#{id}@main", as(writer))
    end

    assert {:error, %Error{kind: :repo_not_found}} = Likes.list_likers(hidden, write())
    assert_raise Error, fn -> Enum.to_list(Likes.stream_likers(hidden, write())) end
    assert {:error, %Error{status: 404} = error} = Likes.list_liked_repos("nobody/../x", write())
    assert error.message =~ "nobody"
    assert {:error, %Error{kind: :no_token}} = Likes.list_liked_repos(nil, as(false))
    assert_raise Error, fn -> Likes.stream_liked_repos(nil, as(false)) end
    assert_raise ArgumentError, ~r/unknown option :limits/, fn -> Likes.list_likers(id, limits: 3) end
  end

  test "options in the place of a name are named, without their values" do
    for call <- [
          fn -> Likes.list_liked_repos(token: "hf_hush") end,
          fn -> Likes.stream_liked_repos(token: "hf_hush") end,
          fn -> HfHub.Users.list_liked_repos(token: "hf_hush") end,
          fn -> HfHub.Users.get(token: "hf_hush") end,
          fn -> HfHub.Organizations.get(token: "hf_hush") end
        ] do
      message = Exception.message(assert_raise(ArgumentError, call))
      assert message =~ "got: options ([:token]); is an argument before them missing?"
      refute message =~ "hush"
    end

    assert_raise ArgumentError, ~r/the name of an account as a string, or nil, got: 5/, fn ->
      Likes.list_liked_repos(5)
    end
  end
end
