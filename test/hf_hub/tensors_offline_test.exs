defmodule HfHub.TensorsOfflineTest do
  # Offline mode is a setting of the whole VM.
  use HfHub.Case, async: false

  import ExUnit.CaptureLog

  alias HfHub.{Bumblebee, Download, Error, GGUF, Safetensors}

  test "cached files are read in offline mode, and others are errors", context do
    own_env(["HF_HUB_OFFLINE"])
    path = Path.join(context.dir, "model.safetensors")
    Safetensors.write!(path, %{"w" => {"U8", [3], <<1, 2, 3>>}})

    {id, commit} =
      repo(context, %{"model.safetensors" => File.read!(path), "other.safetensors" => File.read!(path)})

    Download.hf_hub_download!(opts(context, repo_id: id, filename: "model.safetensors"))
    before = requests(id)
    Application.put_env(:hf_hub, :offline, true)
    opts = [endpoint: context.endpoint, cache_dir: context.cache]

    for repo <- [id, {:hf, id, revision: commit}] do
      assert Safetensors.tensor!(Safetensors.open!(repo, opts), "w") == <<1, 2, 3>>
    end

    for {kind, call} <- [
          {:not_cached, fn -> Safetensors.open(id, [filename: "other.safetensors"] ++ opts) end},
          {:not_cached, fn -> Safetensors.open("org/none", opts) end},
          {:not_cached, fn -> GGUF.read(id, [filename: "x.gguf"] ++ opts) end}
        ] do
      assert {:error, %Error{kind: ^kind}} = call.()
    end

    Application.delete_env(:hf_hub, :offline)
    assert requests(id) == before
  end

  test "cached shards are found by their index, as far as they are cached", context do
    folder = Path.join(context.dir, "shards")
    File.mkdir_p!(folder)
    tensors = for n <- 1..2, do: {"t#{n}", {"U8", [1], <<n>>}}
    Safetensors.write!(Path.join(folder, "model.safetensors"), tensors, max_shard_size: 1)
    id = "org/shards-#{System.unique_integer([:positive])}"
    HfHub.LocalHub.import_folder!(hub(), folder, id)
    # The path of the cache may look like that of a revision.
    cache = Path.join(context.dir, "snapshots/daily/hub")
    download = &Download.hf_hub_download!(opts(%{context | cache: cache}, repo_id: id, filename: &1))
    cached = [endpoint: context.endpoint, cache_dir: cache, local_files_only: true]

    download.("model-00001-of-00002.safetensors")
    assert {:error, %Error{kind: :not_cached, message: message}} = Safetensors.open(id, cached)
    assert message =~ "neither `model.safetensors` nor `model.safetensors.index.json`"

    download.("model.safetensors.index.json")
    assert {:error, %Error{kind: :not_cached, path: shard}} = Safetensors.open(id, cached)
    assert shard == "model-00002-of-00002.safetensors"
    model = Safetensors.open!(id, [names: ["t1"]] ++ cached)
    assert Safetensors.tensor!(model, "t1") == <<1>>

    download.("model-00002-of-00002.safetensors")
    assert map_size(Safetensors.open!(id, cached).tensors) == 2
  end

  test "the cached copy of the last known commit is read while the Hub cannot be asked", context do
    folder = Path.join(context.dir, "model")
    File.mkdir_p!(folder)
    tensors = for n <- 1..2, do: {"t#{n}", {"U8", [1], <<n>>}}
    Safetensors.write!(Path.join(folder, "model.safetensors"), tensors, max_shard_size: 1)
    File.write!(Path.join(folder, "config.json"), "{}")
    File.write!(Path.join(folder, "x.gguf"), <<"GGUF", 3::little-32, 0::128>>)
    id = "org/away-#{System.unique_integer([:positive])}"
    HfHub.LocalHub.import_folder!(hub(), folder, id)
    opts = opts(context)
    assert {:ok, _model} = Safetensors.open(id, opts)
    Download.snapshot_download!([repo_id: id] ++ opts)

    for fault <- [%{kind: "hang_up"}, %{kind: "status", code: 500}, %{kind: "status", code: 404}] do
      fault(id, fault)
      before = length(requests(id))

      log =
        capture_log(fn ->
          model = Safetensors.open!(id, opts)

          assert for({name, _, bytes} <- Safetensors.stream(model), do: {name, bytes}) == [
                   {"t1", <<1>>},
                   {"t2", <<2>>}
                 ]

          # One request, which is not repeated.
          assert length(requests(id)) == before + 1
          assert {:ok, _header} = GGUF.read(id, [filename: "x.gguf"] ++ opts)
          assert {:ok, {:local, _folder}} = Bumblebee.repo(id, opts)
        end)

      assert log =~ "using the cached copy of model.safetensors.index.json"
      assert {:error, %Error{} = error} = Safetensors.open(id, [filename: "none.safetensors"] ++ opts)
      assert error.kind != :not_cached
      control(:delete, "faults")
    end

    # A name that the Hub does not have is not read from the cache.
    assert {:error, %Error{kind: :revision_not_found}} = Safetensors.open(id, [revision: "gone"] ++ opts)
  end
end
