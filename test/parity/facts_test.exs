defmodule HfHub.Parity.FactsTest do
  use HfHub.TwoHubs

  alias HfHub.{Api, Git, LocalHub, Papers, Repo, Safetensors, Users}

  @header ~s({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})
  @weights <<byte_size(@header)::little-64>> <> @header <> <<0::64>>

  # Both Hubs have the same repositories before the first request.
  setup context do
    card = "---\nconfigs:\n- config_name: main\n  data_files: train.csv\n---\n"

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
  end

  defp import_folder(context, id, files, opts \\ []) do
    folder = folder(context, files)
    for {_name, hub} <- context.locals, do: LocalHub.import_folder!(hub, folder, id, opts)
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
    commit = Git.resolve_revision!("acme/weights", [cache_dir: context.cache] ++ ours)
    assert %{weight_map: %{"w" => "a.safetensors"}} = Safetensors.sharded_metadata!("acme/weights", ours)
    assert %{title: "Attention"} = Papers.info!("1706.03762", ours)
    assert Papers.read!("1706.03762", ours) =~ "# Text"
    assert Api.repo_info!("acme/table", [repo_type: :dataset] ++ ours).id == "acme/table"

    assert output == """
           me/r acme/r
           0 2
           #{commit}
           [('w', 'a.safetensors')]
           Attention # Text
           acme/table\
           """

    assert_same(context)
  end
end
