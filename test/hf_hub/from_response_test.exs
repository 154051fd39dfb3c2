defmodule HfHub.FromResponseTest do
  # The public decoders of 0.3: each accepts what the Hub sends.
  use HfHub.Case, async: true

  alias HfHub.Commit.{CommitInfo, Operation}
  alias HfHub.Git.{BranchInfo, GitRefs, TagInfo}
  alias HfHub.Repo.RepoUrl
  alias HfHub.{Commit, Error, Git, Repo, Request, Spaces, Users}

  doctest BranchInfo
  doctest TagInfo
  doctest GitRefs
  doctest Git.CommitInfo
  doctest CommitInfo
  doctest RepoUrl
  doctest Spaces.SpaceRuntime
  doctest Users.User
  doctest Users.Organization

  defp json(path, context) do
    {:ok, json} = Request.new(:get, path, [], endpoint: context.endpoint, token: token()) |> Request.run()
    json
  end

  test "responses of the Hub become the structs that the functions return", context do
    id = writable(context, %{"a.txt" => "1"})
    Git.create_tag!(id, "v1", write(message: "first"))

    refs = GitRefs.from_response(json("/api/models/#{id}/refs", context))
    assert refs == Git.list_refs!(id, write())
    assert [%TagInfo{name: "v1"}] = refs.tags

    [newest | _] = json("/api/models/#{id}/commits/main", context)
    assert Git.CommitInfo.from_response(newest) == hd(Git.list_commits!(id, write()))

    user = json("/api/users/reader/overview", context)
    assert %{Users.User.from_response(user) | raw: nil} == %{Users.get!("reader", write()) | raw: nil}
  end

  test "the response to a commit becomes its information", context do
    id = writable(context)
    line = ~s({"key":"file","value":{"path":"b.txt","content":"Yg==","encoding":"base64"}}\n)
    header = ~s({"key":"header","value":{"summary":"Add b"}}\n)

    {:ok, response} =
      Request.new(:post, "/api/models/*repo/commit/main", [repo: id],
        endpoint: context.endpoint,
        token: token()
      )
      |> Request.body(header <> line, "application/x-ndjson")
      |> Request.run()

    info = CommitInfo.from_response(response)
    assert %CommitInfo{committed?: true, pr_url: nil, pr_num: nil} = info
    assert hd(Git.list_commits!(id, write())).id == info.oid
    assert info.repo_url == Repo.RepoUrl.from_response(%{"repo_id" => id}, :model).url |> at(context)

    add = Operation.add("c.txt", {:binary, "c"})
    theirs = Commit.create!(id, [add], write(commit_message: "Add c", create_pr: true))
    assert %{pr_num: 1, pr_revision: "refs/pr/1"} = theirs

    assert %{oid: nil, commit_url: nil, repo_url: nil} = CommitInfo.from_response(%{})

    assert %{pr_num: 7, pr_revision: "refs/pr/7"} =
             CommitInfo.from_response(%{"pullRequest" => %{"url" => "https://hub/me/m/discussions/7"}})
  end

  defp at("https://huggingface.co" <> path, context), do: context.endpoint <> path

  test "a repository's response becomes its URL" do
    assert %RepoUrl{repo_id: "me/m", repo_type: :model, namespace: "me", name: "m"} =
             RepoUrl.from_response(%{"url" => "https://huggingface.co/me/m"}, :model)

    assert %RepoUrl{repo_id: "me/m", repo_type: :space, url: "https://huggingface.co/spaces/me/m"} =
             RepoUrl.from_response(%{"url" => "https://elsewhere.example/x", "name" => "me/m"}, :space)

    for bad <- [%{}, %{"url" => 5}, %{"url" => "https://elsewhere.example/x"}] do
      error = assert_raise Error, fn -> RepoUrl.from_response(bad, :model) end
      assert error.kind == :invalid_response
    end
  end

  test "an object that cannot be the struct raises the error of the library" do
    for bad <- [%{}, %{"id" => 5}] do
      error = assert_raise Error, fn -> Git.CommitInfo.from_response(bad) end
      assert error.kind == :invalid_response
    end

    assert_raise FunctionClauseError, fn -> BranchInfo.from_response([]) end
    assert BranchInfo.from_response(%{}) == %BranchInfo{}
  end
end
