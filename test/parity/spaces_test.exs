defmodule HfHub.Parity.SpacesTest do
  use HfHub.TwoHubs

  alias HfHub.{Commit, Repo, Spaces}

  test "calls about a Space send the same requests", %{ours: ours} = context do
    theirs(context, """
    import itertools, warnings
    from huggingface_hub import Volume
    warnings.simplefilter("ignore")
    api.create_repo("acme/d", repo_type="dataset")
    api.create_repo("acme/s", repo_type="space", space_sdk="gradio")
    api.get_space_runtime("acme/s")
    api.pause_space("acme/s")
    api.restart_space("acme/s")
    api.restart_space("acme/s", factory_reboot=True)
    api.request_space_hardware("acme/s", "t4-small", sleep_time=60)
    api.request_space_hardware("acme/s", "l4x1")
    api.set_space_sleep_time("acme/s", -1)
    api.enable_space_dev_mode("acme/s")
    api.disable_space_dev_mode("acme/s")
    api.add_space_secret("acme/s", "K", "V", description="d")
    api.add_space_secret("acme/s", "L", "V")
    api.get_space_secrets("acme/s")
    api.delete_space_secret("acme/s", "K")
    api.add_space_variable("acme/s", "A", "B", description="d")
    api.add_space_variable("acme/s", "C", "D")
    api.get_space_variables("acme/s")
    api.delete_space_variable("acme/s", "C")
    api.set_space_volumes("acme/s", [
        Volume(type="dataset", source="acme/d", mount_path="/data", revision="main", read_only=True, path="sub"),
        Volume(type="bucket", source="acme/b", mount_path="/b"),
    ])
    api.delete_space_volumes("acme/s")
    api.duplicate_repo("acme/s", "acme/t", repo_type="space", space_hardware="t4-medium", space_sleep_time=60)
    api.wait_for_space("acme/s")
    """)

    Repo.create!("acme/d", [repo_type: :dataset] ++ ours)
    Repo.create!("acme/s", [repo_type: :space, space_sdk: :gradio] ++ ours)
    Spaces.get_runtime!("acme/s", ours)
    Spaces.pause!("acme/s", ours)
    Spaces.restart!("acme/s", ours)
    Spaces.restart!("acme/s", [factory_reboot: true] ++ ours)
    Spaces.request_hardware!("acme/s", :t4_small, [sleep_time: 60] ++ ours)
    Spaces.request_hardware!("acme/s", "l4x1", ours)
    Spaces.set_sleep_time!("acme/s", :never, ours)
    Spaces.enable_dev_mode!("acme/s", ours)
    Spaces.disable_dev_mode!("acme/s", ours)
    Spaces.add_secret!("acme/s", "K", "V", [description: "d"] ++ ours)
    Spaces.add_secret!("acme/s", "L", "V", ours)
    Spaces.list_secrets!("acme/s", ours)
    Spaces.delete_secret!("acme/s", "K", ours)
    Spaces.add_variable!("acme/s", "A", "B", [description: "d"] ++ ours)
    Spaces.add_variable!("acme/s", "C", "D", ours)
    Spaces.get_variables!("acme/s", ours)
    Spaces.delete_variable!("acme/s", "C", ours)

    Spaces.set_volumes!(
      "acme/s",
      [
        %{
          type: :dataset,
          source: "acme/d",
          mount_path: "/data",
          revision: "main",
          read_only: true,
          path: "sub"
        },
        %{type: :bucket, source: "acme/b", mount_path: "/b"}
      ],
      ours
    )

    Spaces.delete_volumes!("acme/s", ours)
    Spaces.duplicate!("acme/s", [to_id: "acme/t", hardware: :t4_medium, sleep_time: 60] ++ ours)
    # Python returns any stage that lasts.
    assert {:error, %{details: %{"stage" => "NO_APP_FILE"}}} = Spaces.wait_until_running("acme/s", ours)
    assert_same(context)
    assert length(asked(context.hubs.ours)) > 20
  end

  test "lists, searches, logs and hot reloads send the same requests and return the same",
       %{ours: ours} = context do
    theirs =
      theirs(context, """
      import itertools
      card = "---\\ntitle: Words\\nsdk: gradio\\ntags: [template]\\n---\\n"
      api.create_repo("acme/s", repo_type="space", space_sdk="gradio")
      api.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id="acme/s", repo_type="space",
                      commit_message="m", _hot_reload=True)
      print([h.name for h in api.list_spaces_hardware()])
      print([(t.name, t.repo_id) for t in api.list_space_templates()])
      print([(s.id, s.title) for s in api.search_spaces("words", include_non_running=True)])
      print([s.id for s in api.search_spaces("some words", sdk=["gradio", "docker"], filter=["template", "gradio"])])
      print(api.get_zero_gpu_quota().base)
      """)

    card = "---\ntitle: Words\nsdk: gradio\ntags: [template]\n---\n"
    Repo.create!("acme/s", [repo_type: :space, space_sdk: :gradio] ++ ours)
    opts = [repo_type: :space, commit_message: "m", hot_reload: true]
    Commit.upload_file!({:binary, card}, "README.md", "acme/s", opts ++ ours)
    pairs = fn items -> "[" <> Enum.map_join(items, ", ", fn {a, b} -> "('#{a}', '#{b}')" end) <> "]" end
    names = for flavor <- Spaces.list_hardware!(ours), do: "'#{flavor.name}'"
    templates = for one <- Spaces.list_templates!(ours), do: {one.name, one.repo_id}
    found = for one <- Spaces.search!("words", [include_non_running: true] ++ ours), do: {one.id, one.title}
    options = [sdk: ["gradio", "docker"], filter: ["template", "gradio"]]
    assert [] = Spaces.stream_search("some words", options ++ ours) |> Enum.to_list()
    quota = Spaces.get_zero_gpu_quota!(ours).base

    lines = ["[" <> Enum.join(names, ", ") <> "]", pairs.(templates), pairs.(found), "[]", "#{quota}"]
    assert String.split(String.trim(theirs), "\n") == lines
    assert pairs.(found) == "[('acme/s', 'Words')]"
    assert_same(context)
  end

  test "logs are requested from the same route", %{ours: ours} = context do
    create = fn opts -> Repo.create!("acme/s", [repo_type: :space, space_sdk: :gradio] ++ opts) end
    create.(ours)
    create.(Keyword.put(ours, :endpoint, context.hubs.theirs))
    for kind <- [[], ["--build"]], do: command(context, ["space", "log", "acme/s", "line"] ++ kind)

    theirs(context, """
    import itertools
    for build in (False, True):
        assert list(itertools.islice(api.fetch_space_logs("acme/s", build=build, follow=True), 1)) == ["line\\n"]
    """)

    for build <- [false, true] do
      assert Enum.take(Spaces.logs("acme/s", [build: build, follow: true] ++ ours), 1) == ["line\n"]
    end

    eventually(fn -> asked(context.hubs.ours) |> Enum.count(&(elem(&1, 1) =~ "/logs/")) == 2 end)
    assert_same(context)
  end
end
