defmodule HfHub.GitTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, Git, LocalHub}
  alias HfHub.Git.{Author, BranchInfo, CommitInfo, TagInfo}

  setup context do
    {id, first} = repo(context, %{"a.txt" => "1"}, message: "Begin")
    LocalHub.command!(hub(), ["repo", "tag", id, "v1"])
    LocalHub.command!(hub(), ["repo", "branch", id, "side/branch"])
    {^id, second} = repo(context, %{"a.txt" => "2"}, id: id, message: "Go on")
    {:ok, id: id, first: first, second: second, ask: [endpoint: context.endpoint]}
  end

  test "list_refs returns branches and tags with their commits", %{
    id: id,
    first: first,
    second: second,
    ask: ask
  } do
    refs = Git.list_refs!(id, ask)

    assert %BranchInfo{ref: "refs/heads/main", target_commit: ^second} =
             Enum.find(refs.branches, &(&1.name == "main"))

    assert %BranchInfo{target_commit: ^first} = Enum.find(refs.branches, &(&1.name == "side/branch"))
    assert [%TagInfo{name: "v1", ref: "refs/tags/v1", target_commit: ^first}] = refs.tags
    assert refs.converts == [] and refs.pull_requests == nil
    assert Git.list_refs!(id, [include_pull_requests: true] ++ ask).pull_requests == []
    assert {:error, %Error{kind: :repo_not_found}} = Git.list_refs("org/none", ask)
  end

  test "list_commits returns the history of a revision", %{id: id, first: first, second: second, ask: ask} do
    assert [%CommitInfo{id: ^second, title: "Go on", date: %DateTime{}} | older] = Git.list_commits!(id, ask)
    assert first in for(commit <- older, do: commit.id)
    assert [%CommitInfo{authors: [%Author{name: name, email: nil} = author]} | _] = Git.list_commits!(id, ask)
    assert is_binary(name) and "#{author}" == name
    assert [%CommitInfo{id: ^second}] = Git.list_commits!(id, [limit: 1] ++ ask)
    assert [%CommitInfo{id: ^first} | _] = Git.list_commits!("hf://#{id}@v1", ask)
    assert [%CommitInfo{formatted_title: title} | _] = Git.list_commits!(id, [formatted: true] ++ ask)
    assert is_binary(title)
    assert {:error, %Error{kind: :revision_not_found}} = Git.list_commits(id, [revision: "none"] ++ ask)
  end

  describe "writes" do
    setup :writer

    setup context, do: {:ok, write: [token: context.writer] ++ context.ask}

    test "create and delete branches", %{id: id, first: first, second: second, write: write} = context do
      assert {:ok, %BranchInfo{name: "dev/x", ref: "refs/heads/dev/x", target_commit: nil}} =
               Git.create_branch(id, "dev/x", write)

      assert %BranchInfo{target_commit: ^first} = Git.create_branch!(id, "old", [revision: first] ++ write)
      branches = Map.new(Git.list_refs!(id, write).branches, &{&1.name, &1.target_commit})
      assert %{"dev/x" => ^second, "old" => ^first} = branches
      assert {:error, %Error{kind: :conflict} = error} = Git.create_branch(id, "old", write)
      assert error.message =~ "exists" and error.message =~ "exist_ok: true"

      # It exists, and was not moved to the commit.
      assert {:ok, %BranchInfo{name: "old", target_commit: nil}} =
               Git.create_branch(id, "old", [exist_ok: true, revision: second] ++ write)

      assert {:error, %Error{kind: :revision_not_found, revision: "none", message: message}} =
               Git.create_branch(id, "y", [revision: "none"] ++ write)

      assert message =~ ~s(has no revision "none")

      assert {:error, %Error{kind: :bad_request}} = Git.create_branch(id, "refs/pr/1", write)
      assert {:error, %Error{kind: :repo_not_found}} = Git.create_branch("org/none", "x", write)

      reader = [token: context.reader] ++ context.ask
      assert {:error, %Error{kind: :forbidden} = error} = Git.create_branch(id, "z", reader)
      assert error.message =~ "write token"

      assert {:ok, %BranchInfo{name: "old", target_commit: ^first}} =
               Git.create_branch(id, "old", [exist_ok: true] ++ reader)

      assert {:error, %Error{kind: :forbidden}} = Git.create_branch(id, "z", [exist_ok: true] ++ reader)

      assert :ok = Git.delete_branch(id, "dev/x", write)
      assert {:error, %Error{kind: :revision_not_found}} = Git.delete_branch(id, "dev/x", write)
      assert {:error, %Error{kind: :forbidden} = error} = Git.delete_branch(id, "main", write)
      assert error.message =~ "Cannot delete refs/heads/main"
      assert_raise Error, fn -> Git.delete_branch!(id, "main", write) end
    end

    test "create and delete tags", %{id: id, first: first, second: second, write: write} do
      assert {:ok, %TagInfo{name: "v2", ref: "refs/tags/v2", message: "Second", target_commit: nil}} =
               Git.create_tag(id, "v2", [message: "Second"] ++ write)

      assert {:ok, %TagInfo{target_commit: ^first, message: nil}} =
               Git.create_tag(id, "v1.1", [revision: first] ++ write)

      tags = Map.new(Git.list_refs!(id, write).tags, &{&1.name, &1.target_commit})
      assert %{"v1" => ^first, "v1.1" => ^first, "v2" => ^second} = tags
      assert {:error, %Error{kind: :conflict}} = Git.create_tag(id, "v2", write)

      assert %TagInfo{name: "v2", message: nil} =
               Git.create_tag!(id, "v2", [exist_ok: true, message: "Other"] ++ write)

      assert {:error, %Error{kind: :revision_not_found}} =
               Git.create_tag(id, "v3", [revision: "none"] ++ write)

      assert :ok = Git.delete_tag(id, "v2", write)
      assert {:error, %Error{kind: :revision_not_found}} = Git.delete_tag(id, "v2", write)
    end

    test "squash a history", %{id: id, write: write} do
      Git.create_branch!(id, "before", write)
      assert :ok = Git.super_squash(id, [commit_message: "All in one"] ++ write)
      assert [%CommitInfo{title: "All in one"}] = Git.list_commits!(id, write)
      assert length(Git.list_commits!(id, [revision: "before"] ++ write)) > 1
      assert :ok = Git.super_squash!(id, [branch: "before"] ++ write)

      assert [%CommitInfo{title: "Super-squash branch 'before' using hf_hub"}] =
               Git.list_commits!(id, [revision: "before"] ++ write)

      assert {:error, %Error{kind: :revision_not_found}} = Git.super_squash(id, [branch: "none"] ++ write)
    end

    test "reject names that would reach another route", %{id: id, write: write} do
      for name <- ["..", ".", "../../x", "a/../../settings", "a\0b", "a//b", " "] do
        for delete <- [&Git.delete_branch/3, &Git.delete_tag/3, &Git.create_branch/3] do
          assert {:error, %Error{kind: kind}} = delete.(id, name, write)
          assert kind in [:invalid_name, :bad_request, :revision_not_found]
        end
      end

      for name <- ["", nil, :main, <<255>>] do
        assert_raise ArgumentError, fn -> Git.delete_branch(id, name, write) end
        assert_raise ArgumentError, fn -> Git.create_tag(id, name, write) end
      end

      assert {:error, %Error{kind: :invalid_name}} = Git.delete_branch("hf://#{id}@main", "x", write)
      assert Enum.map(Git.list_refs!(id, write).tags, & &1.name) == ["v1"]
    end
  end
end
