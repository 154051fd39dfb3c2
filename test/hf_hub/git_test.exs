defmodule HfHub.GitTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, Git, LocalHub}
  alias HfHub.Git.{CommitInfo, Ref}

  setup context do
    {id, first} = repo(context, %{"a.txt" => "1"}, message: "Begin")
    LocalHub.command!(hub(), ["repo", "tag", id, "v1"])
    LocalHub.command!(hub(), ["repo", "branch", id, "side/branch"])
    {^id, second} = repo(context, %{"a.txt" => "2"}, id: id, message: "Go on")
    {:ok, id: id, first: first, second: second, ask: [endpoint: context.endpoint]}
  end

  test "tells branches and tags with their commits", %{id: id, first: first, second: second, ask: ask} do
    refs = Git.list_refs!(id, ask)

    assert %Ref{ref: "refs/heads/main", target_commit: ^second} =
             Enum.find(refs.branches, &(&1.name == "main"))

    assert %Ref{target_commit: ^first} = Enum.find(refs.branches, &(&1.name == "side/branch"))
    assert [%Ref{name: "v1", ref: "refs/tags/v1", target_commit: ^first}] = refs.tags
    assert refs.converts == [] and refs.pull_requests == nil
    assert Git.list_refs!(id, [include_pull_requests: true] ++ ask).pull_requests == []
    assert {:error, %Error{kind: :repo_not_found}} = Git.list_refs("org/none", ask)
  end

  test "tells the history of a revision", %{id: id, first: first, second: second, ask: ask} do
    assert [%CommitInfo{id: ^second, title: "Go on", date: %DateTime{}} | older] = Git.list_commits!(id, ask)
    assert first in for(commit <- older, do: commit.id)
    assert [%CommitInfo{id: ^second}] = Git.list_commits!(id, [limit: 1] ++ ask)
    assert [%CommitInfo{id: ^first} | _] = Git.list_commits!("hf://#{id}@v1", ask)
    assert [%CommitInfo{formatted_title: title} | _] = Git.list_commits!(id, [formatted: true] ++ ask)
    assert is_binary(title)
    assert {:error, %Error{kind: :revision_not_found}} = Git.list_commits(id, [revision: "none"] ++ ask)
  end
end
