defmodule HfHub.TensorsOfflineTest do
  # Offline mode is a setting of the whole VM.
  use HfHub.Case, async: false

  alias HfHub.{Download, Error, GGUF, Safetensors}

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
    download = &Download.hf_hub_download!(opts(context, repo_id: id, filename: &1))
    cached = [endpoint: context.endpoint, cache_dir: context.cache, local_files_only: true]

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
end
