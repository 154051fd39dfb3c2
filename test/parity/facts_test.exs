defmodule HfHub.Parity.FactsTest do
  use HfHub.TwoHubs

  alias HfHub.{Api, Error, Git, LocalHub, Papers, Repo, Safetensors, Users}

  @header ~s({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})
  @weights <<byte_size(@header)::little-64>> <> @header <> <<0::64>>

  # Both Hubs have the same repositories before the first request.
  setup context do
    card = "---\nconfigs:\n- config_name: main\n  data_files: train.csv\n---\n"

    commits =
      import_folder(context, "acme/weights", %{
        "a.safetensors" => @weights,
        "model.safetensors.index.json" => ~s({"metadata":{},"weight_map":{"w":"a.safetensors"}})
      })

    import_folder(context, "acme/table", %{"README.md" => card, "train.csv" => "1,2\n"}, repo_type: :dataset)

    papers = Path.join(context.dir, "papers.json")

    File.write!(
      papers,
      ~s([{"id": "1706.03762", "title": "Attention", "summary": "A network.", "content": "# Text"}])
    )

    command(context, ["papers", "import", papers])
    {:ok, commits: commits}
  end

  defp import_folder(context, id, files, opts \\ []) do
    folder = folder(context, files)
    for {name, hub} <- context.locals, into: %{}, do: {name, LocalHub.import_folder!(hub, folder, id, opts)}
  end

  test "calls about accounts, revisions, files and papers send the same requests", %{ours: ours} = context do
    output =
      theirs(context, """
      print(api.get_full_repo_name("r"), api.get_full_repo_name("r", organization="acme"))
      print(len(list(api.list_user_repos())), len(list(api.list_user_repos("acme"))))
      print(api.resolve_revision("acme/weights", revision="main").resolved)
      print(sorted(api.get_sharded_safetensors_metadata("acme/weights").weight_map.items()))
      print(api.paper_info("1706.03762").title, api.read_paper("1706.03762"))
      print(api.repo_info("acme/table", repo_type="dataset").id)
      """)

    assert Repo.full_name!("r", ours) == "me/r"
    assert Repo.full_name!("r", [organization: "acme"] ++ ours) == "acme/r"
    assert [] = Users.list_repos!(ours)
    assert [_table, _weights] = Users.list_repos!([organization: "acme"] ++ ours)
    # The commits differ if the clock strikes a second between them.
    assert Git.resolve_revision!("acme/weights", [cache_dir: context.cache] ++ ours) == context.commits.ours
    assert %{weight_map: %{"w" => "a.safetensors"}} = Safetensors.sharded_metadata!("acme/weights", ours)
    assert %{title: "Attention"} = Papers.info!("1706.03762", ours)
    assert Papers.read!("1706.03762", ours) =~ "# Text"
    assert Api.repo_info!("acme/table", [repo_type: :dataset] ++ ours).id == "acme/table"

    assert output == """
           me/r acme/r
           0 2
           #{context.commits.theirs}
           [('w', 'a.safetensors')]
           Attention # Text
           acme/table\
           """

    assert_same(context)
  end

  @board """
  [{"rank": 1, "modelId": "acme/best", "value": 81.5, "filename": ".eval_results/bench.yaml", "verified": true,
    "source": {"url": "https://x.org", "isExternal": true}, "author": {"name": "acme", "type": "org", "numUsers": 2}},
   {"rank": 2, "modelId": "ann/other", "value": 7, "filename": "x", "verified": false, "pullRequest": 3,
    "notes": "by hand", "author": {"name": "ann", "fullname": "Ann", "type": "user", "isPro": true}}]
  """

  test "a leaderboard and a kernel are the same for both clients", %{ours: ours} = context do
    plant(context, "GET", "/api/datasets/acme/table/leaderboard", @board)

    kernel =
      ~s({"id": "acme/k", "author": "acme", "sha": "abc", "likes": 3, "lastModified": "2025-01-02T03:04:05.000Z"})

    plant(context, "GET", "/api/kernels/acme/k", kernel)
    plant(context, "GET", "/api/kernels/acme/k/revision/v1/x", kernel)

    output =
      theirs(context, """
      def show(e): print(e.rank, e.model_id, e.value, e.filename, e.verified, e.pull_request, e.notes, type(e.author).__name__)
      for entry in api.get_dataset_leaderboard("acme/table"): show(entry)
      api.get_dataset_leaderboard("acme/table", base_model_only=False)
      api.get_dataset_leaderboard("acme/table", base_model_only=True)
      info = api.kernel_info("acme/k")
      print(info.id, info.author, info.sha, info.likes, info.last_modified.year)
      api.kernel_info("acme/k", revision="v1/x")
      """)

    assert {:ok, [first, second]} = Api.dataset_leaderboard("acme/table", ours)
    Api.dataset_leaderboard!("acme/table", [base_model_only: false] ++ ours)
    Api.dataset_leaderboard!("acme/table", [base_model_only: true] ++ ours)
    kernel = Api.kernel_info!("acme/k", ours)
    Api.kernel_info!("acme/k", [revision: "v1/x"] ++ ours)

    assert %{author: %Users.Organization{name: "acme"}, source: %{"isExternal" => true}} = first
    assert %{author: %Users.User{username: "ann", fullname: "Ann", is_pro: true}} = second

    assert output == """
           #{first.rank} #{first.model_id} #{first.value} #{first.filename} True None None Organization
           #{second.rank} #{second.model_id} #{second.value} x False #{second.pull_request} #{second.notes} User
           #{kernel.id} #{kernel.author} #{kernel.sha} #{kernel.likes} #{kernel.last_modified.year}\
           """

    assert_same(context)
  end

  test "a dataset without a leaderboard, and a kernel that is missing, are errors", %{ours: ours} = context do
    assert {:error, %Error{status: 404}} = Api.dataset_leaderboard("acme/table", ours)
    assert {:error, %Error{status: 404}} = Api.kernel_info("acme/none", ours)
    assert {:error, %Error{kind: :invalid_name}} = Api.dataset_leaderboard("acme/../table", ours)
    plant(context, "GET", "/api/datasets/acme/table/leaderboard", ~s({"entries": []}))
    assert {:error, %Error{kind: :invalid_response}} = Api.dataset_leaderboard("acme/table", ours)
  end
end
