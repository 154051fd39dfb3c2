defmodule HfHub.From03Test do
  # Code written for hf_hub 0.3: the structs and shapes that it documents.
  use HfHub.Case, async: true

  alias HfHub.{Api, Commit, Error}
  alias HfHub.Commit.Operation

  # The structs of 0.3 with their fields, except `Operation.Add`, whose content is tagged here; and what were maps.
  @structs %{
    HfHub.AccessRequests.AccessRequest => ~w(user fullname email status timestamp fields)a,
    HfHub.Api.DatasetInfo => ~w(id author sha downloads likes tags siblings created_at updated_at)a,
    HfHub.Api.ModelInfo =>
      ~w(id author sha downloads likes tags pipeline_tag siblings created_at updated_at)a,
    HfHub.Api.Sibling => ~w(rfilename size lfs)a,
    HfHub.Api.SpaceInfo => ~w(id author sha likes tags sdk created_at updated_at)a,
    HfHub.Api.TreeEntry => ~w(type path size lfs oid)a,
    HfHub.Cache.Integrity => ~w(total_files valid_files corrupted_files missing_checksum details)a,
    HfHub.Cards.DatasetCard => ~w(data content)a,
    HfHub.Cards.DatasetCardData =>
      ~w(language license annotations_creators language_creators multilinguality size_categories source_datasets
         task_categories task_ids pretty_name configs tags extra)a,
    HfHub.Cards.EvalResult =>
      ~w(task_type task_name dataset_type dataset_name dataset_config dataset_split metric_type metric_name
         metric_value verified)a,
    HfHub.Cards.ModelCard => ~w(data content)a,
    HfHub.Cards.ModelCardData =>
      ~w(language license license_name license_link library_name tags datasets metrics eval_results model_name
         base_model pipeline_tag widget inference co2_eq_emissions extra)a,
    HfHub.Collections.Collection =>
      ~w(slug title description owner private items upvotes created_at updated_at theme position)a,
    HfHub.Collections.CollectionItem => ~w(id item_id item_type note position added_at)a,
    HfHub.Commit.CommitInfo =>
      ~w(commit_url commit_message commit_description oid pr_url pr_num pr_revision repo_url)a,
    HfHub.Commit.Operation.Copy => ~w(src_path dst_path src_revision)a,
    HfHub.Commit.Operation.Delete => ~w(path_in_repo is_folder)a,
    HfHub.Discussions.Comment => ~w(id author content hidden created_at updated_at edited)a,
    HfHub.Discussions.Discussion =>
      ~w(num title author status is_pull_request created_at updated_at num_comments)a,
    HfHub.Discussions.DiscussionDetails =>
      ~w(num title author status is_pull_request created_at updated_at events target_branch
         head_sha merge_commit_oid)a,
    HfHub.Discussions.StatusChange => ~w(id author status comment created_at)a,
    HfHub.Discussions.TitleChange => ~w(id author old_title new_title created_at)a,
    HfHub.Git.BranchInfo => ~w(name ref target_commit)a,
    HfHub.Git.CommitInfo => ~w(id title message authors date)a,
    HfHub.Git.GitRefs => ~w(branches tags converts pull_requests)a,
    HfHub.Git.TagInfo => ~w(name ref target_commit message)a,
    HfHub.InferenceEndpoints.ComputeConfig => ~w(accelerator instance_size instance_type scaling)a,
    HfHub.InferenceEndpoints.Endpoint =>
      ~w(name namespace status url model compute provider type created_at updated_at)a,
    HfHub.InferenceEndpoints.ModelConfig => ~w(repository framework task revision image)a,
    HfHub.InferenceEndpoints.ProviderConfig => ~w(vendor region)a,
    HfHub.InferenceEndpoints.ScalingConfig => ~w(min_replica max_replica scale_to_zero_timeout)a,
    HfHub.LFS.UploadInfo => ~w(sha256 size sample)a,
    HfHub.Repo.RepoUrl => ~w(url repo_id repo_type)a,
    HfHub.Spaces.SpaceRuntime =>
      ~w(stage hardware requested_hardware sleep_time sdk sdk_version storage raw_logs)a,
    HfHub.Spaces.SpaceVariable => ~w(key value description updated_at)a,
    HfHub.Users.Organization =>
      ~w(name fullname avatar_url details num_members num_models num_datasets num_spaces)a,
    HfHub.Users.User =>
      ~w(username fullname avatar_url details is_following num_followers num_following num_models num_datasets
         num_spaces num_likes)a,
    HfHub.Webhooks.WatchedItem => ~w(type name)a,
    HfHub.Webhooks.WebhookInfo => ~w(id url watched domains secret disabled created_at)a
  }

  test "structs have the names and fields of 0.3" do
    for {module, fields} <- @structs do
      assert Code.ensure_loaded?(module), inspect(module)
      assert fields -- Map.keys(module.__struct__()) == [], inspect(module)
    end
  end

  test "structs can be made of the fields of 0.3, as tests of applications do" do
    for {module, fields} <- @structs do
      values = Map.new(fields, &{&1, "x"})
      made = struct!(module, values)
      assert Map.take(made, fields) == values
      assert is_binary(inspect(made))
    end

    assert %Operation.Delete{path_in_repo: "a", is_folder: false} =
             struct!(Operation.Delete, path_in_repo: "a")
  end

  describe "lists of files" do
    setup context do
      files = %{"a.txt" => "1", "sub/b.txt" => "22", "model.safetensors" => large(20_000)}
      {id, _commit} = repo(context, files)
      {:ok, id: id, ask: [endpoint: context.endpoint]}
    end

    test "have a rfilename, a size and the content's hash", %{id: id, ask: ask} do
      assert {:ok, files} = Api.list_files(id, ask)
      files = Map.new(files, &{&1.rfilename, &1})
      assert %{size: 1, lfs: nil} = files["a.txt"]
      assert %{size: 2, blob_id: <<_::320>>} = files["sub/b.txt"]
      assert %{size: 20_000, lfs: %{sha256: <<_::512>>, size: 20_000}} = files["model.safetensors"]
      assert Enum.sort(Api.list_repo_files!(id, ask)) == files |> Map.keys() |> Enum.sort()
      assert Api.stream_files(id, ask) |> Enum.map(& &1.rfilename) == Api.list_repo_files!(id, ask)
    end

    test "leave out folders with recursive: false", %{id: id, ask: ask} do
      assert {:ok, files} = Api.list_files(id, [recursive: false] ++ ask)

      assert Enum.sort(for file <- files, do: file.rfilename) == [
               ".gitattributes",
               "a.txt",
               "model.safetensors"
             ]

      assert ["sub/b.txt"] = Api.list_repo_files!(id, [path_in_repo: "sub"] ++ ask)
    end

    test "of the information about a repository have a rfilename", %{id: id, ask: ask} do
      assert "sub/b.txt" in for(file <- Api.model_info!(id, ask).siblings, do: file.rfilename)
    end

    test "of a tree are of type :file or :folder", %{id: id, ask: ask} do
      types = Map.new(Api.list_repo_tree!(id, ask), &{&1.path, &1.type})
      assert %{"sub" => :folder, "a.txt" => :file} = types
    end
  end

  test "information about a repository has updated_at", context do
    {id, _commit} = repo(context, %{"a.txt" => "1"})

    assert %{updated_at: %DateTime{} = time, last_modified: time} =
             Api.model_info!(id, endpoint: context.endpoint)
  end

  test "a commit without a message is an error", context do
    {id, _commit} = repo(context, %{"a.txt" => "1"})
    dir = folder(context, %{"b.txt" => "2"})

    for call <- [
          fn opts -> Commit.create(id, [Operation.delete("a.txt")], opts) end,
          fn opts -> Commit.upload_file({:binary, "x"}, "x", id, opts) end,
          fn opts -> Commit.delete_file("a.txt", id, opts) end,
          fn opts -> Commit.delete_files(id, "a.*", opts) end,
          fn opts -> Commit.delete_folder("a", id, opts) end,
          fn opts -> Commit.upload_folder(dir, id, opts) end,
          fn opts -> Commit.upload_large_folder(dir, id, opts) end
        ],
        message <- ["", " \n"] do
      assert {:error, %Error{kind: :bad_request} = error} = call.(write(commit_message: message))
      assert error.message =~ ":commit_message"
    end

    assert {:error, %Error{kind: :bad_request}} = Commit.create(id, [Operation.delete("a.txt")])
    assert_raise Error, fn -> Commit.create!(id, [Operation.delete("a.txt")]) end
    assert requests(id) |> Enum.reject(&(&1["method"] == "GET")) == []
  end

  test "operations check their paths when they are made" do
    make = [
      &Operation.add(&1, {:binary, "x"}),
      &Operation.delete(&1),
      &Operation.delete(&1, is_folder: true),
      &Operation.copy(&1, "b"),
      &Operation.copy("b", &1)
    ]

    for fun <- make,
        path <- ["/abs", "../x", "a/../b", "a//b", "a/./b", "a/..", "", "/", "./", "..", "a//"] do
      assert_raise ArgumentError, ~r/invalid path in the repository/, fn -> fun.(path) end
    end

    assert %{path_in_repo: "a/b..c"} = Operation.add("./a/b..c", {:binary, "x"})
    assert %{path_in_repo: "old/", is_folder: true} = Operation.delete("././old/")
    assert %{src_path: "a", dst_path: ".b"} = Operation.copy("./a", "./.b")
  end

  test "a copy has the path to copy to" do
    assert %Operation.Copy{src_path: "a", dst_path: "b", src_revision: nil} = Operation.copy("a", "b")
  end
end
