defmodule HfHub.RepoTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, LocalHub, Repo}

  defp ask(context, more \\ []), do: [endpoint: context.endpoint, retry_delay: 10] ++ more

  setup context do
    large = large(20_000)
    {id, commit} = repo(context, %{"config.json" => "{}", "sub/a b?.txt" => "x", "m.safetensors" => large})
    {:ok, id: id, commit: commit, large: large}
  end

  test "repositories exist or not, of their type", %{id: id} = context do
    assert {:ok, true} = Repo.exists?(id, ask(context))
    assert {:ok, true} = Repo.exists?("hf://#{id}", ask(context))
    assert {:ok, false} = Repo.exists?(id, ask(context, repo_type: :dataset))
    refute Repo.exists!("org/none", ask(context))
    assert {:error, %Error{kind: :invalid_name}} = Repo.exists?("a/b/c", ask(context))
  end

  test "revisions exist or not", %{id: id, commit: commit} = context do
    LocalHub.command!(hub(), ["repo", "branch", id, "side/branch"])
    for rev <- ["main", commit, "side/branch"], do: assert(Repo.revision_exists!(id, rev, ask(context)))
    assert {:ok, false} = Repo.revision_exists?(id, "none", ask(context))
    assert {:ok, false} = Repo.revision_exists?("org/none", "main", ask(context))
    assert {:error, %Error{kind: :invalid_name}} = Repo.revision_exists?(id, "", ask(context))
  end

  test "files exist or not, and are not fetched", %{id: id, large: large} = context do
    for name <- ["config.json", "sub/a b?.txt", "m.safetensors"],
        do: assert({:ok, true} = Repo.file_exists?(id, name, ask(context)))

    assert {:ok, false} = Repo.file_exists?(id, "none.json", ask(context))
    assert {:ok, false} = Repo.file_exists?(id, "config.json", ask(context, revision: "none"))
    assert {:ok, false} = Repo.file_exists?("org/none", "config.json", ask(context))
    assert {:error, %Error{kind: :invalid_name}} = Repo.file_exists?(id, "../x", ask(context))
    assert requests(large) == []
    assert requests(id) |> Enum.map(& &1["method"]) |> Enum.uniq() == ["HEAD"]
  end

  test "what is private exists for those whose token reaches it", context do
    {id, _commit} = repo(context, %{"a.txt" => "x"}, private: true)
    owner = "owner#{System.unique_integer([:positive])}"
    LocalHub.command!(hub(), ["user", "add", owner, "--org", "org", "--token", "hf_#{owner}"])

    for {token, there} <- [{false, false}, {"hf_#{owner}", true}] do
      assert {:ok, ^there} = Repo.exists?(id, ask(context, token: token))
      assert {:ok, ^there} = Repo.revision_exists?(id, "main", ask(context, token: token))
      assert {:ok, ^there} = Repo.file_exists?(id, "a.txt", ask(context, token: token))
    end
  end

  test "a gated repository exists, and its files may not be looked at", context do
    {id, _commit} = repo(context, %{"a.txt" => "x"}, gated: :auto)
    assert {:ok, true} = Repo.exists?(id, ask(context, token: false))
    assert {:error, %Error{kind: :gated_repo}} = Repo.file_exists?(id, "a.txt", ask(context, token: false))
  end

  test "a network that fails is no answer", context do
    {id, _commit} = repo(context, %{"a.txt" => "x"})
    fault(id, %{kind: "status", code: 500}, %{times: 2})
    assert {:error, %Error{kind: :server}} = Repo.exists?(id, ask(context, retries: 0))
    assert_raise Error, fn -> Repo.file_exists!(id, "a.txt", ask(context, retries: 0)) end
  end
end
