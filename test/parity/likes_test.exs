defmodule HfHub.Parity.LikesTest do
  use HfHub.TwoHubs

  alias HfHub.{Api, Likes, Repo}

  setup context do
    command(context, ["user", "add", "you", "--token", "hf_you"])
  end

  # Likes are not in the Python client any more, so its Hub gets them by hand.
  @like """
  import urllib.request
  for path in "models/acme/r", "datasets/acme/d":
      headers = {"Authorization": "Bearer hf_me"}
      url = f"{api.endpoint}/api/{path}/like"
      urllib.request.urlopen(urllib.request.Request(url, method="POST", headers=headers))
  """

  test "calls about likes send the same requests and return the same", %{ours: ours} = context do
    theirs =
      theirs(context, """
      api.create_repo("acme/r")
      api.create_repo("acme/d", repo_type="dataset")
      #{@like}
      for user in api.list_repo_likers("acme/r"):
          print(user.username, user.fullname)
      likes = api.list_liked_repos()
      print(likes.user, likes.total, likes.models, likes.datasets, likes.spaces, likes.kernels)
      print(api.list_liked_repos("you").total)
      api.unlike("acme/d", repo_type="dataset")
      print(api.list_liked_repos("me").datasets)
      print([(m.id, m.likes) for m in api.list_models(sort="likes", limit=5)])
      """)

    Repo.create!("acme/r", ours)
    Repo.create!("acme/d", [repo_type: :dataset] ++ ours)
    Likes.like!("acme/r", ours)
    Likes.like!("acme/d", [repo_type: :dataset] ++ ours)
    assert ["me me", likes, none, datasets, models] = String.split(theirs, "\n")
    assert [%{username: "me", fullname: "me"}] = Likes.list_likers!("acme/r", ours)
    assert likes == "me 2 ['acme/r'] ['acme/d'] [] []"

    assert [%{repo_id: "acme/d", repo_type: :dataset}, %{repo_id: "acme/r"}] =
             Likes.list_liked_repos!(nil, ours)

    assert {none, []} == {"0", Likes.list_liked_repos!("you", ours)}
    Likes.unlike!("acme/d", [repo_type: :dataset] ++ ours)
    assert datasets == "[]"
    assert [%{repo_type: :model}] = Likes.list_liked_repos!("me", ours)
    assert models == "[('acme/r', 1)]"
    assert [%{likes: 1}] = Api.list_models!([sort: :likes, limit: 5] ++ ours)
    assert_same(context)
  end
end
