defmodule HfHub.BumblebeeTest do
  use HfHub.Case, async: true

  alias HfHub.{Bumblebee, Error}

  Code.require_file("../support/bumblebee_reader.exs", __DIR__)

  @configs %{
    "config.json" => ~s({"architectures":["BertModel"]}),
    "tokenizer.json" => "{}",
    "tokenizer_config.json" => "{}",
    "README.md" => "x",
    "onnx/model.onnx" => "x"
  }

  defp names({:local, folder}), do: Enum.sort(File.ls!(folder))

  test "the files that Bumblebee reads are downloaded, and no others", context do
    {id, commit} =
      repo(context, Map.merge(@configs, %{"model.safetensors" => large(100), "tf_model.h5" => "x"}))

    me = self()
    assert {:ok, {:local, folder} = repository} = Bumblebee.repo(id, opts(context, progress: me))
    assert names(repository) == ~w(config.json model.safetensors tokenizer.json tokenizer_config.json)
    assert Path.basename(folder) == commit
    assert_received {:hf_hub_progress, %{activity: :done, bytes_done: 100}}
    refute_received {:hf_hub_progress, %{activity: :done}}
    assert Bumblebee.repo!({:hf, id, cache_dir: context.cache, offline: true}) == repository

    assert Bumblebee.repo!({:hf, id, cache_dir: context.cache, revision: commit}, endpoint: context.endpoint) ==
             repository

    assert asked(id, "README") == [] and asked(id, "tf_model") == [] and asked(id, "onnx") == []
  end

  test "parameters are chosen in Bumblebee's order, by variant and by name", context do
    files = %{
      "pytorch_model.bin" => "b",
      "model.safetensors" => "s",
      "model.fp16.safetensors" => "h",
      "other[1].bin" => "o"
    }

    {id, _commit} = repo(context, Map.merge(@configs, files))
    params = fn repository -> names(repository) -- Map.keys(@configs) end

    each = fn more ->
      params.(Bumblebee.repo!(id, opts(%{context | cache: context.cache <> inspect(more)}, more)))
    end

    assert each.([]) == ["pytorch_model.bin"]
    assert each.(params_variant: "fp16") == ["model.fp16.safetensors"]
    assert each.(params_filename: "model.safetensors") == ["model.safetensors"]
    assert each.(params_filename: "other[1].bin") == ["other[1].bin"]

    for more <- [[params_variant: "q4"], [params_filename: "none.bin"]] do
      assert {:error, %Error{kind: :entry_not_found, message: message}} =
               Bumblebee.repo(id, opts(context, more))

      assert message =~ ~s(there are "model.fp16.safetensors", "model.safetensors", "other[1].bin")
    end
  end

  test "shards are downloaded by their index, and a missing one is an error", context do
    index = ~s({"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors","c":"model-1.safetensors"}})

    files = %{
      "model.safetensors.index.json" => index,
      "model-1.safetensors" => "1",
      "model-2.safetensors" => "2",
      "model-3.safetensors" => "3"
    }

    {id, _commit} = repo(context, Map.merge(@configs, files))

    assert ["model-1.safetensors", "model-2.safetensors", "model.safetensors.index.json"] =
             names(Bumblebee.repo!(id, opts(context))) -- Map.keys(@configs)

    # As after a download by a client that does not store the listing.
    cached = Path.join(context.cache, "models--" <> String.replace(id, "/", "--"))
    File.rm_rf!(Path.join(cached, "trees"))
    [shard] = Path.wildcard(Path.join(cached, "snapshots/*/model-2.safetensors"))
    File.rm!(shard)
    offline = [local_files_only: true]
    assert {:error, %Error{kind: :not_cached} = error} = Bumblebee.repo(id, opts(context, offline))
    assert error.path == "model-2.safetensors" and error.message =~ "in the cache"
    variant = [params_variant: "fp16"] ++ offline
    assert {:error, %Error{kind: :not_cached}} = Bumblebee.repo(id, opts(context, variant))

    {id, _commit} = repo(context, %{"config.json" => "{}", "model.safetensors.index.json" => index})
    assert {:error, %Error{kind: :entry_not_found, message: message}} = Bumblebee.repo(id, opts(context))
    assert message =~ "model-1.safetensors"
    {id, _commit} = repo(context, %{"config.json" => "{}", "model.safetensors.index.json" => "[]"})
    assert {:error, %Error{kind: :invalid_response}} = Bumblebee.repo(id, opts(context))
  end

  test "parts in folders are in one snapshot, each a folder of its own", context do
    {id, _commit} =
      repo(context, %{
        "model_index.json" => "{}",
        "unet/config.json" => "{}",
        "unet/diffusion_pytorch_model.safetensors" => "u",
        "scheduler/scheduler_config.json" => "{}",
        "empty/README.md" => "x"
      })

    {:local, unet} = repository = Bumblebee.repo!(id, opts(context, subdir: "unet"))
    assert names(repository) == ["config.json", "diffusion_pytorch_model.safetensors"]
    assert {:local, scheduler} = Bumblebee.repo!({:hf, id, subdir: "scheduler"}, opts(context))
    assert File.ls!(scheduler) == ["scheduler_config.json"] and Path.dirname(scheduler) == Path.dirname(unet)

    for subdir <- ["none", "empty"] do
      assert {:error, %Error{kind: :entry_not_found, message: message}} =
               Bumblebee.repo(id, opts(context, subdir: subdir))

      assert message =~ subdir
    end
  end

  test "a private repository needs the token, and other errors are those of downloads", context do
    {id, _commit} =
      repo(context, @configs,
        private: true,
        id: "reader/bee-#{System.unique_integer([:positive])}-#{System.pid()}"
      )

    assert {:ok, _local} = Bumblebee.repo({:hf, id, auth_token: token()}, opts(context))
    other = %{context | cache: context.cache <> "2"}
    assert {:error, %Error{kind: kind}} = Bumblebee.repo(id, opts(other, token: false))
    assert kind in [:repo_not_found, :no_token]
    assert {:error, %Error{kind: :repo_not_found}} = Bumblebee.repo("org/none", opts(context))
    assert {:error, %Error{kind: :invalid_name}} = Bumblebee.repo("hf://datasets/a/b", opts(context))
    assert {:error, %Error{}} = Bumblebee.repo("org/none", opts(context, local_files_only: true))
  end

  describe "Bumblebee's cache" do
    test "is filled so that unchanged code finds all files, offline and with a known etag", context do
      {id, _commit} =
        repo(
          context,
          Map.merge(@configs, %{"model.safetensors" => content = large(300), "unet/config.json" => "{}"})
        )

      into = Path.join(context.dir, "bee")
      # What a call that was killed has left.
      scope = Path.join([into, "huggingface", String.replace(id, "/", "--")])
      write_files(scope, %{".abc.99999999-0.1.0-1.incomplete" => "x", "other" => "y"})
      assert {:ok, folder} = Bumblebee.seed_cache(id, opts(context, into: into))
      assert folder == scope
      assert Path.wildcard(Path.join(scope, "*.incomplete"), match_dot: true) == []
      assert File.exists?(Path.join(scope, "other"))
      offline = {:hf, id, cache_dir: into, offline: true}
      files = BumblebeeReader.files(offline)

      assert Enum.sort(Map.keys(files)) ==
               ~w(config.json model.safetensors tokenizer.json tokenizer_config.json)

      for {name, etag} <- files, repository <- [offline, {:hf, id, cache_dir: into}] do
        assert {:ok, path} = BumblebeeReader.download(repository, name, etag)
        expected = if name == "model.safetensors", do: content, else: @configs[name]
        assert File.read!(path) == expected
        # Bumblebee writes in place: no link to the shared cache.
        assert File.lstat!(path).type == :regular and File.lstat!(path).links == 1
      end

      listed = HfHub.RepoFiles.get_repo_files!({:hf, id}, endpoint: context.endpoint)
      assert files == Map.take(listed, Map.keys(files))
      refute Enum.any?(File.ls!(folder), &(&1 =~ "incomplete"))
    end

    test "is filled by subdir and revision, and again after a change", context do
      {id, commit} = repo(context, %{"unet/config.json" => "{}", "unet/diffusion_pytorch_model.bin" => "old"})
      into = Path.join(context.dir, "bee")
      tuple = {:hf, id, subdir: "unet", revision: commit, cache_dir: into}

      assert {:ok, _folder} =
               Bumblebee.seed_cache(
                 tuple,
                 opts(context) |> Keyword.delete(:cache_dir) |> Keyword.put(:cache_dir, context.cache)
               )

      assert {:ok, _} = Bumblebee.seed_cache(id, opts(context, subdir: "unet", into: into))

      HfHub.LocalHub.import_folder!(
        hub(),
        folder(context, %{"unet/config.json" => "{}", "unet/diffusion_pytorch_model.bin" => "new"}),
        id
      )

      assert {:ok, _} = Bumblebee.seed_cache(id, opts(context, subdir: "unet", into: into))

      for {more, content} <- [{[revision: commit], "old"}, {[], "new"}] do
        repository = {:hf, id, [subdir: "unet", cache_dir: into, offline: true] ++ more}
        etag = BumblebeeReader.files(repository)["diffusion_pytorch_model.bin"]
        {:ok, path} = BumblebeeReader.download(repository, "diffusion_pytorch_model.bin", etag)
        assert File.read!(path) == content
      end
    end

    test "that cannot be written is an error", context do
      {id, _commit} = repo(context, @configs)
      File.write!(Path.join(context.dir, "file"), "")

      assert {:error, %Error{kind: :io}} =
               Bumblebee.seed_cache(id, opts(context, into: Path.join(context.dir, "file")))
    end
  end
end
