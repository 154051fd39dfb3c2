defmodule HfHub.ApiTest do
  use HfHub.Case, async: true

  alias HfHub.{Api, Error}
  alias HfHub.Api.{DatasetInfo, LastCommit, LfsInfo, ModelInfo, Sibling, SpaceInfo, TreeEntry}

  @card "---\nlicense: mit\ntags:\n- tiny\npipeline_tag: text-generation\n---\n# tiny\n"
  @files %{"README.md" => @card, "config.json" => "{}", "sub/a b.txt" => "x"}

  defp ask(context, more \\ []), do: [endpoint: context.endpoint, retry_delay: 10] ++ more

  describe "repository information" do
    test "is a struct with times, tags, files and the raw response", context do
      {id, commit} = repo(context, Map.put(@files, "model.safetensors", large(20_000)))
      {:ok, %ModelInfo{} = info} = Api.model_info(id, ask(context, files_metadata: true))
      assert %{id: ^id, sha: ^commit, private: false, pipeline_tag: "text-generation"} = info
      assert %DateTime{} = info.last_modified
      assert "tiny" in info.tags and info.card_data["license"] == "mit" and info.raw["id"] == id

      assert %Sibling{size: 20_000, lfs: %LfsInfo{size: 20_000}} =
               Enum.find(info.siblings, &(&1.rfilename == "model.safetensors"))

      assert inspect(info) =~ "#HfHub.Api.ModelInfo<#{id}, text-generation" and
               String.length(inspect(info)) < 200

      assert {:ok, %{sha: ^commit}} = Api.model_info("hf://#{id}@#{commit}", ask(context))
      assert {:ok, %{sha: ^commit}} = Api.model_info(id, ask(context, revision: commit))
      assert [_ | _] = asked = requests(id)
      assert Enum.all?(asked, &(&1["method"] == "GET" and &1["bytes_received"] == 0))
    end

    test "of datasets and Spaces has structs of its own", context do
      {data, _} = repo(context, @files, repo_type: :dataset)
      {space, _} = repo(context, Map.put(@files, "README.md", "---\nsdk: gradio\n---\n"), repo_type: :space)
      assert %DatasetInfo{id: ^data} = Api.dataset_info!(data, ask(context))
      assert %SpaceInfo{id: ^space, sdk: "gradio"} = Api.space_info!(space, ask(context))
      assert %DatasetInfo{} = Api.dataset_info!("hf://datasets/#{data}", ask(context))
    end

    test "of any type is that of the type's function", context do
      {model, _} = repo(context, @files)
      {data, _} = repo(context, @files, repo_type: :dataset)
      {space, _} = repo(context, @files, repo_type: :space)
      assert %ModelInfo{id: ^model} = Api.repo_info!(model, ask(context))

      assert %DatasetInfo{id: ^data, siblings: [%{size: size} | _]} =
               Api.repo_info!("hf://datasets/#{data}", ask(context, files_metadata: true))

      assert size > 0

      assert %SpaceInfo{id: ^space} = Api.repo_info!(space, ask(context, repo_type: :space))
      assert {:error, %Error{kind: :repo_not_found}} = Api.repo_info(data, ask(context))
      assert {:error, %Error{kind: :invalid_name}} = Api.repo_info("a/b/c", ask(context))

      assert_raise ArgumentError, ~r/:security_status/, fn ->
        Api.repo_info(data, repo_type: :dataset, security_status: true)
      end

      assert_raise ArgumentError, ~r/:repo_type/, fn -> Api.repo_info(data, repo_type: :paper) end
    end

    test "has a distinct error for each kind of failure", context do
      {id, _commit} = repo(context, @files)

      assert {:error, %Error{kind: :repo_not_found, repo_id: "org/none"}} =
               Api.model_info("org/none", ask(context))

      assert {:error, %Error{kind: :revision_not_found}} = Api.model_info(id, ask(context, revision: "none"))
      assert {:error, %Error{kind: :invalid_name}} = Api.model_info("a/b/c", ask(context))
      assert_raise Error, ~r/not found/, fn -> Api.model_info!("org/none", ask(context)) end
      assert_raise ArgumentError, ~r/Did you mean :revision/, fn -> Api.model_info(id, revison: "x") end

      assert_raise ArgumentError, ~r/:expand` cannot be combined/, fn ->
        Api.model_info(id, expand: ["sha"], files_metadata: true)
      end

      assert {:error, %Error{kind: :invalid_name, message: message}} =
               Api.model_info("hf://datasets/a/b", ask(context))

      assert message =~ "expected a model, got the dataset"
    end

    test "is an error for malformed responses, and never another result", context do
      {id, _commit} = repo(context, @files)
      deep = String.duplicate("[", 10_000) <> String.duplicate("]", 10_000)

      nonsense =
        ["[1, 2", "", "null", "1", "[]", "{}", ~s({"id": 1}), "\"x\"", deep, ~s({"id": "a", "siblings": [1]})] ++
          [~s({"id": "a", "siblings": [{}]}), ~s({"id": "a", "transformersInfo": 3}), <<?", 0xFF, ?">>]

      for text <- nonsense do
        fault(id, %{kind: "body", text: if(String.valid?(text), do: text, else: "\"\\")}, %{times: 1})
        assert {:error, %Error{kind: :invalid_response}} = Api.model_info(id, ask(context)), text
      end

      odd =
        ~s({"id": "a\\u001b[2J", "downloads": {"x": []}, "likes": "many", "createdAt": "once", "siblings": 1,
               "gated": "often", "inferenceProviderMapping": 3, "evalResults": {}, "tags": "\\ud83d cut"})

      fault(id, %{kind: "body", text: odd}, %{times: 1})
      assert {:ok, info} = Api.model_info(id, ask(context))
      assert %{siblings: nil, gated: "often", created_at: "once", tags: "\uFFFD cut"} = info
      refute inspect(info) =~ "\e"
    end

    test "is requested with the token", context do
      {id, _commit} = repo(context, @files, private: true)
      assert {:error, %Error{kind: :repo_not_found}} = Api.model_info(id, ask(context, token: false))

      HfHub.LocalHub.command!(hub(), [
        "user",
        "add",
        "owner#{System.unique_integer([:positive])}",
        "--org",
        "org",
        "--token",
        "hf_owner#{id}"
      ])

      assert {:ok, %{private: true}} = Api.model_info(id, ask(context, token: "hf_owner#{id}"))
    end
  end

  describe "list_repo_tree" do
    test "returns files and folders of one level, or of all", context do
      {id, _commit} = repo(context, Map.put(@files, "model.safetensors", large(20_000)))

      names =
        &(Api.list_repo_tree!(id, ask(context, &1))
          |> Enum.map(fn entry -> {entry.type, entry.path} end)
          |> Enum.sort())

      assert {:folder, "sub"} in names.([]) and {:file, "config.json"} in names.([])
      refute {:file, "sub/a b.txt"} in names.([])
      assert {:file, "sub/a b.txt"} in names.(recursive: true)
      assert names.(path_in_repo: "sub") == [{:file, "sub/a b.txt"}]

      assert %TreeEntry{size: 20_000, lfs: %LfsInfo{sha256: <<_::512>>}} =
               Enum.find(Api.list_repo_tree!(id, ask(context)), &(&1.path == "model.safetensors"))

      assert Enum.sort(Api.list_repo_files!(id, ask(context))) ==
               Enum.sort([".gitattributes", "model.safetensors" | Map.keys(@files)])

      for call <- [&Api.list_repo_tree/2, &Api.list_files/2, &Api.list_repo_files/2] do
        assert {:error, %Error{kind: :entry_not_found, path: "no/where", message: message}} =
                 call.(id, ask(context, path_in_repo: "no/where/"))

        assert message == ~s("#{id}" has no file or folder "no/where" at revision "main")
      end
    end

    test "paths_info returns single paths in batches", context do
      files = Map.new(1..600, &{"f#{&1}", "#{&1}"})
      {id, _commit} = repo(context, files)
      assert [%TreeEntry{path: "f1", size: 1}] = Api.paths_info!(id, ["f1", "none"], ask(context))
      found = Api.paths_info!(id, Map.keys(files), ask(context))
      assert length(found) == 600 and Enum.count(requests(id), &(&1["path"] =~ "/paths-info/")) == 3

      assert [%TreeEntry{last_commit: %LastCommit{oid: _, date: %DateTime{}}}] =
               Api.paths_info!(id, "f2", ask(context, expand: true))

      assert {:error, %Error{kind: :revision_not_found}} =
               Api.paths_info(id, "f1", ask(context, revision: "x"))
    end

    test "reads all pages", context do
      {id, _commit} = repo(context, Map.new(1..1100, &{"f#{&1}", "#{&1}"}))
      assert length(Api.list_repo_files!(id, ask(context))) == 1101
      assert Enum.count(requests(id), &(&1["path"] =~ "/tree/")) == 2
    end
  end

  describe "list_models and its siblings" do
    test "apply filters and stop at the limit", context do
      author = "org#{System.unique_integer([:positive])}"
      for n <- 1..3, do: repo(context, @files, id: "#{author}/m#{n}")

      ids = fn more ->
        Api.list_models!(ask(context, [author: author] ++ more)) |> Enum.map(& &1.id) |> Enum.sort()
      end

      assert ids.([]) == for(n <- 1..3, do: "#{author}/m#{n}")
      assert ids.(search: "m2") == ["#{author}/m2"]
      assert length(ids.(limit: 2)) == 2
      assert [%ModelInfo{}] = Api.stream_models(ask(context, author: author)) |> Enum.take(1)
      assert {:ok, []} = Api.list_datasets(ask(context, author: author))
      assert {:ok, []} = Api.list_spaces(ask(context, author: author))
      assert_raise ArgumentError, ~r/unknown option :limit/, fn -> Api.stream_models(limit: 3) end

      card = "---\nco2_eq_emissions:\n  emissions: 12.5\n---\n"
      repo(context, %{"README.md" => card}, id: "#{author}/measured")
      assert ids.(emissions_thresholds: {0, 12.5}) == ["#{author}/measured"]
      assert ids.(emissions_thresholds: {13, 100}) == []
    end
  end

  test "parses JSON with a byte order mark or with NaN", context do
    for dialect <- ["json_with_mark", "json_with_nan"] do
      id = writable(context, %{"a.txt" => "a"})
      opts = write(endpoint: dialect(id, dialect))
      assert {:ok, info} = Api.model_info(id, opts)
      assert info.id == id
      assert {:ok, [".gitattributes", "a.txt"]} = Api.list_repo_files(id, opts)
      download = [repo_id: id, cache_dir: Path.join(context.dir, dialect)] ++ opts
      assert {:ok, folder} = HfHub.Download.snapshot_download(download)
      assert File.read!(Path.join(folder, "a.txt")) == "a"
    end
  end

  test "shortens long headers in errors", context do
    {id, _commit} = repo(context, %{"a.txt" => "1"})
    long = String.duplicate("x", 5000)
    headers = Map.new(~w(x-request-id x-error-message x-error-code content-type), &{&1, long})
    fault(id, %{kind: "status", code: 403, headers: headers, body: ~s({"error": "#{long}"})}, %{times: 1})
    assert {:error, refused} = Api.model_info(id, endpoint: context.endpoint)

    fault(id, %{kind: "redirect", location: "/#{long}"}, %{times: 1})
    assert {:error, strayed} = Api.model_info(id, endpoint: context.endpoint)

    for error <- [refused, strayed] do
      assert String.length(Exception.message(error)) < 6_500

      for text when is_binary(text) <- [error.request_id, error.url, error.reason],
          do: assert(String.length(text) <= 1_001)
    end
  end
end
