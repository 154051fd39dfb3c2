defmodule HfHub.RepoTest do
  use HfHub.Case, async: true

  alias HfHub.{Api, Error, LocalHub, Repo, Request}
  alias HfHub.Repo.RepoUrl

  defp ask(context, more \\ []), do: [endpoint: context.endpoint, retry_delay: 10] ++ more

  setup context do
    large = large(20_000)
    {id, commit} = repo(context, %{"config.json" => "{}", "sub/a b?.txt" => "x", "m.safetensors" => large})
    {:ok, id: id, commit: commit, large: large}
  end

  test "exists returns whether a repository of the type exists", %{id: id} = context do
    assert {:ok, true} = Repo.exists(id, ask(context))
    assert {:ok, true} = Repo.exists("hf://#{id}", ask(context))
    assert {:ok, false} = Repo.exists(id, ask(context, repo_type: :dataset))
    refute Repo.exists?("org/none", ask(context))
    assert {:error, %Error{kind: :invalid_name}} = Repo.exists("a/b/c", ask(context))
  end

  test "revision_exists returns whether a revision exists", %{id: id, commit: commit} = context do
    LocalHub.command!(hub(), ["repo", "branch", id, "side/branch"])
    for rev <- ["main", commit, "side/branch"], do: assert(Repo.revision_exists?(id, rev, ask(context)))
    assert {:ok, false} = Repo.revision_exists(id, "none", ask(context))
    assert {:ok, false} = Repo.revision_exists("org/none", "main", ask(context))

    for bad <- ["", nil, 1],
        do: assert({:error, %Error{kind: :invalid_name}} = Repo.revision_exists(id, bad, ask(context)))
  end

  test "file_exists returns whether a file exists, without downloading it",
       %{id: id, large: large} = context do
    for name <- ["config.json", "sub/a b?.txt", "m.safetensors"],
        do: assert({:ok, true} = Repo.file_exists(id, name, ask(context)))

    assert {:ok, false} = Repo.file_exists(id, "none.json", ask(context))
    assert {:ok, false} = Repo.file_exists(id, "config.json", ask(context, revision: "none"))
    assert {:ok, false} = Repo.file_exists("org/none", "config.json", ask(context))

    for bad <- ["../x", "", nil, 1, <<0xFF>>],
        do: assert({:error, %Error{kind: :invalid_name}} = Repo.file_exists(id, bad, ask(context)))

    assert requests(large) == []
    assert requests(id) |> Enum.map(& &1["method"]) |> Enum.uniq() == ["HEAD"]
  end

  test "private repositories exist for tokens with access", context do
    {id, _commit} = repo(context, %{"a.txt" => "x"}, private: true)
    owner = "owner#{System.unique_integer([:positive])}"
    LocalHub.command!(hub(), ["user", "add", owner, "--org", "org", "--token", "hf_#{owner}"])

    for {token, there} <- [{false, false}, {"hf_#{owner}", true}] do
      assert {:ok, ^there} = Repo.exists(id, ask(context, token: token))
      assert {:ok, ^there} = Repo.revision_exists(id, "main", ask(context, token: token))
      assert {:ok, ^there} = Repo.file_exists(id, "a.txt", ask(context, token: token))
    end
  end

  test "a gated repository exists, and its files are :gated_repo", context do
    {id, _commit} = repo(context, %{"a.txt" => "x"}, gated: :auto)
    assert {:ok, true} = Repo.exists(id, ask(context, token: false))
    assert {:error, %Error{kind: :gated_repo}} = Repo.file_exists(id, "a.txt", ask(context, token: false))
  end

  test "a network failure is an error, not false", context do
    {id, _commit} = repo(context, %{"a.txt" => "x"})
    fault(id, %{kind: "status", code: 500})
    assert {:error, %Error{kind: :server}} = Repo.exists(id, ask(context, retries: 0))
    assert_raise Error, fn -> Repo.exists?(id, ask(context, retries: 0)) end
    assert_raise Error, fn -> Repo.revision_exists?(id, "main", ask(context, retries: 0)) end
    assert_raise Error, fn -> Repo.file_exists?(id, "a.txt", ask(context, retries: 0)) end
  end

  describe "a repository" do
    setup :writer

    test "is checked for access", %{id: id} = context do
      reader = [endpoint: context.endpoint, token: context.reader]
      assert :ok = Repo.check_access(id, reader)
      assert :ok = Repo.check_access!(id, as_writer(context, write: true))
      assert {:error, %Error{kind: :forbidden}} = Repo.check_access(id, [write: true] ++ reader)

      {gated, _commit} =
        repo(context, %{"a.txt" => "x"}, gated: :manual, id: "others/g#{System.unique_integer([:positive])}")

      assert {:error, %Error{kind: :gated_repo}} = Repo.check_access(gated, reader)
      assert {:error, %Error{kind: :repo_not_found}} = Repo.check_access("org/none", reader)
      assert_raise Error, fn -> Repo.check_access!("org/none", reader) end
    end

    test "of every type is created, and its URL returned", context do
      id = name()

      assert %RepoUrl{repo_id: ^id, repo_type: :model, namespace: "org", url: url} =
               Repo.create!(id, as_writer(context))

      assert url == "#{context.endpoint}/#{id}" and
               to_string(Repo.create!(id, as_writer(context, exist_ok: true))) == url

      dataset = Repo.create!(id, as_writer(context, repo_type: :dataset, private: true))
      assert dataset.url == "#{context.endpoint}/datasets/#{id}"
      assert Api.dataset_info!(id, as_writer(context)).private

      space = [
        repo_type: :space,
        space_sdk: :gradio,
        space_secrets: %{"KEY" => "s3cret"},
        space_sleep_time: :never
      ]

      assert %RepoUrl{repo_type: :space} = Repo.create!("hf://spaces/#{id}", as_writer(context, tl(space)))
      assert Api.space_info!(id, as_writer(context)).sdk == "gradio"

      assert %{
               "secrets" => [%{"key" => "KEY", "value" => "s3cret"}],
               "sleepTimeSeconds" => -1,
               "sdk" => "gradio"
             } = sent("/api/repos/create", id) |> List.last()
    end

    test "without a namespace belongs to the token's account", context do
      name = "own-#{System.unique_integer([:positive])}"
      account = context.account
      id = "#{account}/#{name}"
      assert %RepoUrl{repo_id: ^id, namespace: ^account} = Repo.create!(name, as_writer(context))
      assert %RepoUrl{repo_id: ^id} = Repo.create!(name, as_writer(context, exist_ok: true))
    end

    test "is created once, and the second time is an error with advice", context do
      id = name()
      Repo.create!(id, as_writer(context))
      assert {:error, %Error{kind: :conflict, status: 409} = error} = Repo.create(id, as_writer(context))
      assert error.message =~ "already created" and error.message =~ "exist_ok: true"
      assert error.details["url"] == "#{context.endpoint}/#{id}" and error.repo_id == id
    end

    test "is created after a retry while the Hub is busy", context do
      busy = ~s({"error": "Cannot create repo: another conflicting operation is in progress"})
      {:ok, hub} = hub_of_its_own(context)
      opts = [endpoint: LocalHub.endpoint(hub), token: "hf_own", retry_delay: 10]
      rule = %{match: "/api/repos/create", times: 2, fault: %{kind: "status", code: 409, body: busy}}
      plant(rule, opts)
      assert {:ok, %RepoUrl{}} = Repo.create("own/x", opts)

      # A permanent conflict does not mean that the repository exists.
      plant(%{rule | times: 2}, opts)
      busy = [exist_ok: true, retries: 1] ++ opts
      assert {:error, %Error{kind: :conflict} = error} = Repo.create("own/y", busy)
      assert error.message =~ "another conflicting operation" and not (error.message =~ "exist_ok")
    end

    test "is an error without permission, with the Hub's text and advice", context do
      id = name()
      assert {:error, %Error{kind: :forbidden} = error} = Repo.create("stranger/x", as_writer(context))

      assert error.message =~ ~s(under the namespace "stranger") and
               error.message =~ "member of that organization"

      reader = [endpoint: context.endpoint, token: context.reader]
      assert {:error, %Error{kind: :forbidden} = error} = Repo.create(id, reader)
      assert error.message =~ "write token" and error.message =~ "create a token with write permission"

      assert {:error, %Error{kind: :no_token} = error} =
               Repo.create(id, endpoint: context.endpoint, token: false)

      assert error.message =~ "pass :token"

      assert {:error, %Error{kind: :unauthorized}} =
               Repo.create(id, endpoint: context.endpoint, token: "hf_wrong")

      refute inspect(error) =~ context.reader
      assert {:ok, false} = Repo.exists(id, as_writer(context))

      # Without permission to create it, exist_ok still accepts the existing one.
      Repo.create!(id, as_writer(context))
      assert {:ok, %RepoUrl{repo_id: ^id}} = Repo.create(id, [exist_ok: true] ++ reader)
    end

    test "with an invalid id takes no request", context do
      for id <- ["", "a/b/c", "a/-b", "a/b.git", "a b/c", "ä/b", "../x", 1, nil] do
        assert {:error, %Error{kind: :invalid_name}} = Repo.create(id, as_writer(context))
      end

      assert {:error, %Error{kind: :invalid_name, message: message}} =
               Repo.create("hf://org/x@v1", as_writer(context))

      assert message =~ "contains a revision or a path"
    end

    test "rejects contradicting options", context do
      for {opts, words} <- [
            {[private: true, visibility: :public], ~r/mutually exclusive/},
            {[visibility: :protected], ~r/only a Space/},
            {[space_hardware: "t4-small"], ~r/for Spaces/},
            {[repo_type: :space], ~r/requires :space_sdk/},
            {[repo_type: :space, space_sdk: :flask], ~r/:space_sdk/},
            {[repo_type: :space, space_sdk: :static, space_secrets: [%{key: "a"}]], ~r/:space_secrets/},
            {[repo_type: :space, space_sdk: :static, space_volumes: [%{source: "x"}]], ~r/:space_volumes/},
            {[repo_typ: :space], ~r/Did you mean :repo_type/}
          ] do
        assert_raise ArgumentError, words, fn -> Repo.create("org/x", as_writer(context, opts)) end
      end

      # A message must not show a secret.
      message =
        try do
          opts = [repo_type: :space, space_sdk: :static, space_secrets: [%{key: "a", valeu: "s3cret"}]]
          Repo.create("org/x", as_writer(context, opts))
        rescue
          error in ArgumentError -> Exception.message(error)
        end

      refute message =~ "s3cret"
    end

    test "does not count as existing if the server is not a Hub", context do
      {:ok, hub} = hub_of_its_own(context)
      opts = [endpoint: LocalHub.endpoint(hub), token: "hf_own"]
      page = %{kind: "status", code: 200, body: "<html>Log in</html>"}

      for path <- ["/api/repos/create", "/duplicate", "/templates", "/whoami"],
          do: plant(%{match: path, fault: page}, opts)

      space = [repo_type: :space, space_template: "x"]

      for result <- [
            Repo.create("own/x", opts),
            Repo.create("own/x", space ++ opts),
            Repo.duplicate("own/x", [to: "own/y"] ++ opts),
            Repo.duplicate("own/x", opts)
          ] do
        assert {:error, %Error{kind: :invalid_response}} = result
      end
    end

    test "is created from a template if it is a Space", context do
      {:ok, hub} = hub_of_its_own(context)
      opts = [endpoint: LocalHub.endpoint(hub), token: "hf_own", repo_type: :space]

      card = "---\ntitle: JupyterLab\nsdk: docker\ntags: [template]\npreferred_private: true\n---\n"
      Repo.create!("own/template", [space_sdk: :docker] ++ opts)
      HfHub.Commit.upload_file!({:binary, card}, "README.md", "own/template", opts)
      assert {:ok, %RepoUrl{}} = Repo.create("own/lab", [space_template: "jupyterlab"] ++ opts)
      assert Api.space_info!("own/lab", Keyword.delete(opts, :repo_type)).private

      assert {:error, %Error{kind: :not_found} = error} =
               Repo.create("own/x", [space_template: "none"] ++ opts)

      assert error.message =~ "JupyterLab"

      assert {:error, %Error{kind: :bad_request}} =
               Repo.create("own/x", [space_template: "JupyterLab", space_sdk: :gradio] ++ opts)
    end

    test "is deleted once", context do
      id = name()
      Repo.create!(id, as_writer(context, repo_type: :dataset))
      assert :ok = Repo.delete(id, as_writer(context, repo_type: :dataset))
      assert {:ok, false} = Repo.exists(id, as_writer(context, repo_type: :dataset))

      assert {:error, %Error{kind: :repo_not_found}} =
               Repo.delete(id, as_writer(context, repo_type: :dataset))

      assert :ok = Repo.delete(id, as_writer(context, repo_type: :dataset, missing_ok: true))
      assert :ok = Repo.delete!("hf://datasets/#{id}", as_writer(context, missing_ok: true))
      assert_raise Error, fn -> Repo.delete!(id, as_writer(context)) end
    end

    test "updates its settings", context do
      id = name()
      Repo.create!(id, as_writer(context))
      assert :ok = Repo.update_settings(id, as_writer(context, private: true, gated: :manual))
      info = Api.model_info!(id, as_writer(context))
      assert info.private and info.gated == :manual
      assert :ok = Repo.update_settings!(id, as_writer(context, visibility: :public, gated: false))
      assert %{private: false, gated: false} = Api.model_info!(id, as_writer(context))

      notified = [gated_notifications_mode: :real_time, gated_notifications_email: "me@example.com"]
      assert :ok = Repo.update_settings(id, as_writer(context, [gated: :auto] ++ notified))

      assert %{"gatedNotificationsMode" => "real-time", "gatedNotificationsEmail" => "me@example.com"} =
               List.last(asked(id, "/settings"))["body"]

      assert_raise ArgumentError, ~r/nothing to change/, fn ->
        Repo.update_settings(id, as_writer(context))
      end

      reader = [endpoint: context.endpoint, token: context.reader]
      assert {:error, %Error{kind: :forbidden}} = Repo.update_settings(id, [private: true] ++ reader)

      assert {:error, %Error{kind: :repo_not_found}} =
               Repo.update_settings("org/none", as_writer(context, gated: :auto))

      assert {:error, %Error{kind: :invalid_name, message: message}} =
               Repo.update_settings("none", as_writer(context, gated: :auto))

      assert message =~ "the namespace (the user or organization that owns it) is missing"
    end

    test "moves, and the old name redirects to it", context do
      id = name()
      Repo.create!(id, as_writer(context))
      to = "#{context.account}/moved-#{System.unique_integer([:positive])}"
      assert {:ok, %RepoUrl{repo_id: ^to, url: url}} = Repo.move(id, to, as_writer(context))
      assert url == "#{context.endpoint}/#{to}"
      assert Api.model_info!(id, as_writer(context)).id == to
      Repo.create!(id, as_writer(context))
      assert {:error, %Error{kind: :conflict}} = Repo.move(id, to, as_writer(context))
      assert {:error, %Error{kind: :repo_not_found}} = Repo.move("org/none", "org/other", as_writer(context))
      assert {:error, %Error{kind: :invalid_name}} = Repo.move(id, "bare", as_writer(context))
      assert {:error, %Error{kind: :forbidden}} = Repo.move(id, "stranger/x", as_writer(context))
    end

    test "is duplicated with its files", context do
      {id, _commit} = repo(context, %{"a.txt" => "a", "m.safetensors" => large(20_000)})
      name = "copy-#{System.unique_integer([:positive])}"
      own = "#{context.account}/#{name}"

      assert {:ok, %RepoUrl{repo_id: ^own, files_copy_pending: false}} =
               Repo.duplicate(id, as_writer(context, to: name, private: true))

      files = Api.list_repo_files!(id, as_writer(context))
      assert Api.list_repo_files!(own, as_writer(context)) == files
      assert Api.model_info!(own, as_writer(context)).private
      assert {:error, %Error{kind: :conflict}} = Repo.duplicate(id, as_writer(context, to: own))
      assert %RepoUrl{repo_id: ^own} = Repo.duplicate!(id, as_writer(context, to: own, exist_ok: true))
      bare = id |> String.split("/") |> List.last()
      assert Repo.duplicate!(id, as_writer(context)).repo_id == "#{context.account}/#{bare}"
    end

    test "has a full name in the token's account, or in an organization", context do
      assert Repo.full_name("tiny", as_writer(context)) == {:ok, "#{context.account}/tiny"}
      assert Repo.full_name!("tiny", as_writer(context, organization: "org")) == "org/tiny"
      # Without a request, so without a token.
      offline = [endpoint: "http://127.0.0.1:1", token: false]
      assert Repo.full_name("org/tiny", offline) == {:ok, "org/tiny"}
      assert Repo.full_name("tiny", [organization: "org"] ++ offline) == {:ok, "org/tiny"}
      assert {:error, %Error{kind: :no_token}} = Repo.full_name("tiny", ask(context, token: false))

      for {name, opts} <- [{"a/b", [organization: "org"]}, {"..", []}, {"x", [organization: "a b"]}] do
        assert {:error, %Error{kind: :invalid_name}} = Repo.full_name(name, opts ++ offline)
      end
    end

    @tag :python
    test "has the full name of the Python client", context do
      script = """
      for organization in None, "org":
          print(get_full_repo_name("tiny", organization=organization, token="#{context.writer}"))
      """

      theirs = HfHub.Python.run!(script, context.endpoint, context.cache) |> String.split("\n")

      assert theirs ==
               for(more <- [[], [organization: "org"]], do: Repo.full_name!("tiny", as_writer(context, more)))
    end
  end

  defp name, do: "org/made-#{System.unique_integer([:positive])}-#{System.pid()}"

  defp as_writer(context, more \\ []), do: ask(context, [token: context.writer] ++ more)

  # The requests to a route with a name in the body.
  defp sent(path, id) do
    [organization, name] = String.split(id, "/")

    for %{"path" => ^path, "body" => %{"name" => ^name, "organization" => ^organization} = body} <-
          control(:get, "requests"),
        do: body
  end

  defp plant(rule, opts) do
    {:ok, _} = Request.new(:post, "/_test/faults", [], opts) |> Request.json(rule) |> Request.run()
  end

  # Faults on routes that all tests use require a separate Hub.
  defp hub_of_its_own(context) do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"), test_control: true)
    LocalHub.command!(hub, ["user", "add", "own", "--token", "hf_own"])
    {:ok, hub}
  end
end
