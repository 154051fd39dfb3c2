defmodule HfHub.Parity.ApiTest do
  # The PyPI client and this library send the same requests to a Hub, and decode the same fields.
  use HfHub.Case, async: true

  alias HfHub.{Api, Git, LocalHub, Python, Repo, Request}

  @moduletag :python
  @moduletag timeout: 120_000

  @card """
  ---
  license: mit
  language: [en, no]
  tags: [tiny, "with space & co"]
  pipeline_tag: text-generation
  library_name: lib
  base_model: org/base
  co2_eq_emissions:
    emissions: 12.5 g
  model-index:
  - name: tiny
    results: []
  ---
  # Tiny
  """

  setup_all do
    root = Path.join(System.tmp_dir!(), "hf_hub_parity_#{System.pid()}")
    {:ok, own} = LocalHub.start_link(root: root, test_control: true, args: ["--page-size", "3"])
    on_exit(fn -> File.rm_rf!(root) end)
    tensors = ~s({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})
    weights = <<byte_size(tensors)::little-64>> <> tensors <> <<0::64>>

    files = %{
      "README.md" => @card,
      "config.json" => ~s({"architectures": ["TinyModel"], "model_type": "tiny"}),
      "model.safetensors" => weights,
      "sub/a b#?.txt" => "x",
      "sub/c.txt" => "y"
    }

    for n <- 1..4, do: fill(own, root, "acme/m#{n}", Map.put(files, "n.txt", "#{n}"), [])

    for n <- 1..4,
        do: fill(own, root, "acme/m1", Map.put(files, "n.txt", "next #{n}"), message: "Change #{n}\n\nWhy")

    data = "---\nlicense: mit\nlanguage: [en]\ntask_ids: [extractive-qa]\npretty_name: Table\n---\n"
    fill(own, root, "acme/table", %{"README.md" => data, "train.csv" => "1,2\n"}, repo_type: :dataset)
    space = "---\nsdk: gradio\nmodels: [acme/m1]\n---\n"
    fill(own, root, "acme/demo", %{"README.md" => space, "app.py" => ""}, repo_type: :space)
    LocalHub.command!(own, ["repo", "tag", "acme/m1", "v1/ä"])
    {:ok, own: own, at: [endpoint: LocalHub.endpoint(own), token: false]}
  end

  defp fill(own, root, id, files, opts) do
    folder = write_files(Path.join(root, "source#{System.unique_integer([:positive])}"), files)
    LocalHub.import_folder!(own, folder, id, opts)
  end

  defp log(at) do
    {:ok, log} = Request.new(:get, "/_test/requests", [], at) |> Request.run()
    :ok = Request.new(:delete, "/_test/requests", [], at) |> Request.effect()
    # Once per process, the Python client requests a list of agents that may run it.
    log = Enum.reject(log, &(&1["path"] =~ ~r{^/_test|/api/agent-harnesses}))
    for request <- log, do: {request["method"], request["path"], request["query"], request["bytes_received"]}
  end

  test "every call sends the requests of the Python client", %{at: at, own: own} = context do
    calls = [
      {"api.model_info('acme/m1')", fn -> Api.model_info!("acme/m1", at) end},
      {"api.model_info('acme/m1', revision='v1/ä', files_metadata=True)",
       fn -> Api.model_info!("acme/m1", [revision: "v1/ä", files_metadata: true] ++ at) end},
      {"api.model_info('acme/m1', securityStatus=True)",
       fn -> Api.model_info!("acme/m1", [security_status: true] ++ at) end},
      {"api.model_info('acme/m1', expand=['sha', 'model-index'])",
       fn -> Api.model_info!("acme/m1", [expand: ["sha", "model-index"]] ++ at) end},
      {"api.dataset_info('acme/table')", fn -> Api.dataset_info!("acme/table", at) end},
      {"api.space_info('acme/demo', expand=['runtime'])",
       fn -> Api.space_info!("acme/demo", [expand: ["runtime"]] ++ at) end},
      {"api.repo_info('acme/table', repo_type='dataset', revision='main')",
       fn -> Api.repo_info!("acme/table", [repo_type: :dataset, revision: "main"] ++ at) end},
      {"api.get_hf_file_metadata(url=hf_hub_url('acme/m1', 'config.json', revision='v1/ä'))",
       fn ->
         HfHub.Download.file_metadata!([repo_id: "acme/m1", filename: "config.json", revision: "v1/ä"] ++ at)
       end},
      {"list(api.list_models())", fn -> Api.list_models!(at) end},
      {"list(api.list_models(filter=['a b', 'ö&='], author='acme', search='m + x/y?', trained_dataset=['squad', 'dataset:x'], gated=False, apps='ollama', " <>
         "inference='warm', inference_provider=['a', 'b'], pipeline_tag='text-generation', num_parameters='min:6B,max:128B', sort='trending_score', limit=2, full=True, cardData=True, fetch_config=True))",
       fn ->
         Api.list_models!(
           [
             limit: 2,
             sort: :trending_score,
             full: true,
             card_data: true,
             config: true,
             filter: ["a b", "ö&="],
             author: "acme",
             search: "m + x/y?",
             trained_dataset: ["squad", "dataset:x"],
             gated: false,
             apps: "ollama",
             inference: :warm,
             inference_provider: ["a", "b"],
             pipeline_tag: "text-generation",
             num_parameters: "min:6B,max:128B"
           ] ++ at
         )
       end},
      {"list(api.list_models(author='acme', expand=['sha', 'tags'], sort='last_modified'))",
       fn -> Api.list_models!([author: "acme", expand: ["sha", "tags"], sort: :last_modified] ++ at) end},
      {"list(api.list_datasets(filter='x', language=['en', 'language:no'], task_ids='extractive-qa', size_categories='n<1K', task_categories='a', multilinguality='b', " <>
         "language_creators='c', benchmark=True, author='acme', gated=True, dataset_name='tab', search='le', sort='created_at', limit=5, full=True))",
       fn ->
         Api.list_datasets!(
           [
             filter: "x",
             language: ["en", "language:no"],
             task_ids: "extractive-qa",
             size_categories: "n<1K",
             task_categories: "a",
             multilinguality: "b",
             language_creators: "c",
             benchmark: true,
             author: "acme",
             gated: true,
             dataset_name: "tab",
             search: "le",
             sort: :created_at,
             limit: 5,
             full: true
           ] ++ at
         )
       end},
      {"list(api.list_datasets(expand=['description']))",
       fn -> Api.list_datasets!([expand: ["description"]] ++ at) end},
      {"list(api.list_spaces(filter=['a', 'b'], author='acme', search='demo', datasets=['d1', 'd2'], models='acme/m1', linked=True, sort='likes', limit=1, full=True))",
       fn ->
         Api.list_spaces!(
           [
             filter: ["a", "b"],
             author: "acme",
             search: "demo",
             datasets: ["d1", "d2"],
             models: "acme/m1",
             linked: true,
             sort: :likes,
             limit: 1,
             full: true
           ] ++ at
         )
       end},
      {"list(api.list_repo_tree('acme/m1', recursive=True))",
       fn -> Api.list_repo_tree!("acme/m1", [recursive: true] ++ at) end},
      {"list(api.list_repo_tree('acme/m1', 'sub', revision='v1/ä', expand=True))",
       fn -> Api.list_repo_tree!("acme/m1", [path_in_repo: "sub", revision: "v1/ä", expand: true] ++ at) end},
      {"api.list_repo_files('acme/table', repo_type='dataset')",
       fn -> Api.list_repo_files!("acme/table", [repo_type: :dataset] ++ at) end},
      {"api.get_paths_info('acme/m1', ['sub/a b#?.txt', 'ö'], expand=True)",
       fn -> Api.paths_info!("acme/m1", ["sub/a b#?.txt", "ö"], [expand: true] ++ at) end},
      {"api.list_repo_refs('acme/m1', include_pull_requests=True)",
       fn -> Git.list_refs!("acme/m1", [include_pull_requests: true] ++ at) end},
      {"api.list_repo_refs('acme/m1')", fn -> Git.list_refs!("acme/m1", at) end},
      {"api.list_repo_commits('acme/m1', formatted=True)",
       fn -> Git.list_commits!("acme/m1", [formatted: true] ++ at) end},
      {"api.list_repo_commits('acme/m1', revision='v1/ä')",
       fn -> Git.list_commits!("acme/m1", [revision: "v1/ä"] ++ at) end},
      {"api.repo_exists('acme/m1')", fn -> Repo.exists?("acme/m1", at) end},
      {"api.revision_exists('acme/m1', 'none/x')", fn -> Repo.revision_exists?("acme/m1", "none/x", at) end},
      {"api.file_exists('acme/m1', 'model.safetensors')",
       fn -> Repo.file_exists?("acme/m1", "model.safetensors", at) end},
      {"api.get_model_tags()", fn -> Api.model_tags!(at) end},
      {"api.get_dataset_tags()", fn -> Api.dataset_tags!(at) end},
      {"list(api.list_papers(query='attention & more', limit=3))",
       fn -> HfHub.Papers.list!([query: "attention & more", limit: 3] ++ at) end},
      {"list(api.list_daily_papers(date='2025-10-29', submitter='x', sort='publishedAt', p=1, limit=2))",
       fn ->
         HfHub.Papers.list_daily!(
           [date: "2025-10-29", submitter: "x", sort: :published_at, page: 1, limit: 2] ++ at
         )
       end}
    ]

    log(at)
    mark = fn n -> "__mark__#{n}" end

    script =
      for {{python, _ours}, n} <- Enum.with_index(calls),
          do: "#{python}\nlist(api.list_models(search='#{mark.(n)}'))\n"

    Python.run!("api = HfApi(token=False)\n" <> Enum.join(script), LocalHub.endpoint(own), context.cache)
    theirs = Enum.chunk_while(log(at), [], &by_mark/2, fn rest -> {:cont, rest} end)
    assert length(theirs) == length(calls)

    for {{python, ours}, theirs} <- Enum.zip(calls, theirs) do
      ours.()
      assert {python, log(at)} == {python, theirs}
    end
  end

  defp by_mark({_method, _path, query, _bytes} = request, group) do
    if (query || "") =~ "__mark__", do: {:cont, Enum.reverse(group), []}, else: {:cont, [request | group]}
  end

  # Names that differ: those of the Python client on the left.
  @renamed %{"blob_id" => "oid", "tree_id" => "oid", "commit_id" => "id"}

  test "every field of the Python client has the same value", %{at: at, own: own} = context do
    calls = [
      {"api.model_info('acme/m1', files_metadata=True)",
       Api.model_info!("acme/m1", [files_metadata: true] ++ at)},
      {"lasting(api.get_hf_file_metadata(url=hf_hub_url('acme/m1', 'model.safetensors')))",
       HfHub.Download.file_metadata!([repo_id: "acme/m1", filename: "model.safetensors"] ++ at)},
      {"api.dataset_info('acme/table', files_metadata=True)",
       Api.dataset_info!("acme/table", [files_metadata: true] ++ at)},
      {"api.space_info('acme/demo')", Api.space_info!("acme/demo", at)},
      {"list(api.list_repo_tree('acme/m1', recursive=True, expand=True))",
       Api.list_repo_tree!("acme/m1", [recursive: true, expand: true] ++ at)},
      {"api.list_repo_refs('acme/m1', include_pull_requests=True)",
       Git.list_refs!("acme/m1", [include_pull_requests: true] ++ at)},
      {"api.list_repo_commits('acme/m1', formatted=True)",
       Git.list_commits!("acme/m1", [formatted: true] ++ at)},
      {"list(api.list_models(full=True, cardData=True))",
       Api.list_models!([full: true, card_data: true] ++ at)}
    ]

    script = """
    import dataclasses, datetime
    def plain(value):
        if isinstance(value, repocard_data.CardData): return {"__card__": True}
        if dataclasses.is_dataclass(value): return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, datetime.datetime): return value.isoformat(timespec="milliseconds")
        if isinstance(value, dict): return {k: plain(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)): return [plain(v) for v in value]
        return value
    from huggingface_hub import repocard_data
    def lasting(file): return {k: v for k, v in plain(file).items() if k not in ("xet_file_data", "location")}
    api = HfApi(token=False)
    print(json.dumps([#{Enum.map_join(calls, ", ", fn {python, _ours} -> "plain(#{python})" end)}]))
    """

    json = Python.run!(script, LocalHub.endpoint(own), context.cache)
    {:ok, card} = HfHub.Native.run(:parse_card, ~s(---\n{"all": #{json}}\n---\n))

    for {{python, ours}, theirs} <- Enum.zip(calls, card.data["all"]), do: same!(theirs, ours, python)
  end

  defp same!(theirs, ours, at) when is_list(theirs) do
    assert is_list(ours) and length(ours) == length(theirs), at
    Enum.zip_with(theirs, ours, &same!(&1, &2, at))
  end

  defp same!(%{"__card__" => true}, ours, at), do: assert(is_map(ours), at)

  defp same!(%{} = theirs, %DateTime{} = ours, at), do: flunk("#{at}: #{inspect(theirs)} is #{inspect(ours)}")

  defp same!(theirs, %HfHub.Git.Author{} = ours, at) when is_binary(theirs),
    do: assert(to_string(ours) == theirs, at)

  defp same!(%{} = theirs, ours, at) when is_struct(ours) do
    fields = Map.new(Map.from_struct(ours), fn {name, value} -> {to_string(name), value} end)

    for {name, value} <- theirs do
      known =
        Enum.find([name, @renamed[name], if(name == "created_at", do: "date")], &Map.has_key?(fields, &1))

      assert known, "#{at}: #{inspect(ours.__struct__)} has no field #{name}"
      same!(value, fields[known], "#{at}.#{name}")
    end
  end

  defp same!(%{} = theirs, ours, at) do
    for {name, value} <- theirs, do: same!(value, ours[name], "#{at}.#{name}")
  end

  defp same!(theirs, %DateTime{} = ours, at),
    do: assert(String.slice(theirs, 0, 23) == ours |> DateTime.to_iso8601() |> String.slice(0, 23), at)

  defp same!(theirs, ours, at) when is_atom(ours) and is_binary(theirs),
    do: assert(to_string(ours) == String.downcase(theirs), at)

  defp same!(theirs, ours, at), do: assert(ours == theirs, "#{at}: #{inspect(theirs)} is #{inspect(ours)}")
end
